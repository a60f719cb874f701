internal import CEvaio
internal import SystemPackage

/// The longest time that C can ask for: 100 years, which every clock here can add.
private let longestSeconds = 100 * 365 * 24 * 60 * 60

extension Duration {
  /// Nil for a time that is negative, or whose microseconds are not less than a second.
  init?(_ time: timeval) {
    guard time.tv_sec >= 0, (0..<1_000_000).contains(time.tv_usec) else { return nil }
    self =
      .seconds(min(time.tv_sec, longestSeconds)) + .microseconds(time.tv_usec)
  }
}

extension timeval {
  /// - Parameter duration: 0 or more; parts of a microsecond are dropped.
  init(_ duration: Duration) {
    let (seconds, attoseconds) = duration.components
    self.init(tv_sec: Int(seconds), tv_usec: Int(attoseconds / 1_000_000_000_000))
  }
}

/// - Parameter time: NULL for none.
/// - Throws: `EINVAL` for a time that is not greater than 0.
@unsafe
func duration(_ time: UnsafePointer<timeval>?) throws(Errno) -> Duration? {
  guard let time = unsafe time else { return nil }
  guard let duration = unsafe Duration(time.pointee), duration > .zero else {
    throw .invalidArgument
  }
  return duration
}
