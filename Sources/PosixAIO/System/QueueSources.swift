/// What makes a queue's descriptor readable. The kernel says which of them do: nothing that is
/// remembered here decides whether a descriptor is read, for one that is readable and not read has
/// the loop spin.
struct QueueSources: OptionSet {
  let rawValue: UInt32

  /// The signalfd has signals.
  static let signal = QueueSources(rawValue: 1 << 0)
  /// The pipe has what the signal handler passed on, or a kick.
  static let pipe = QueueSources(rawValue: 1 << 1)
  /// The timer has run out.
  static let timer = QueueSources(rawValue: 1 << 2)
}
