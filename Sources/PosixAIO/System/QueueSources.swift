/// The descriptors that make a queue's descriptor readable. Only the kernel's report decides
/// whether one of them is read; a descriptor that is readable and never read would make the loop
/// spin.
struct QueueSources: OptionSet {
  let rawValue: UInt32

  /// The signalfd has signals.
  static let signal = QueueSources(rawValue: 1 << 0)
  /// The pipe has values from the signal handler, or a kick.
  static let pipe = QueueSources(rawValue: 1 << 1)
  /// The timer has expired.
  static let timer = QueueSources(rawValue: 1 << 2)
}
