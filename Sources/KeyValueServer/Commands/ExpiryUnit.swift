/// The unit of an expiry's number, and whether it is relative to now or absolute.
struct ExpiryUnit {
  let milliseconds: Int64
  let isAbsolute: Bool

  static let seconds = ExpiryUnit(milliseconds: 1000, isAbsolute: false)
  static let milliseconds = ExpiryUnit(milliseconds: 1, isAbsolute: false)
  static let absoluteSeconds = ExpiryUnit(milliseconds: 1000, isAbsolute: true)
  static let absoluteMilliseconds = ExpiryUnit(milliseconds: 1, isAbsolute: true)

  init(milliseconds: Int64, isAbsolute: Bool) {
    self.milliseconds = milliseconds
    self.isAbsolute = isAbsolute
  }

  init?(setOption: String) {
    switch setOption {
    case "EX": self = .seconds
    case "PX": self = .milliseconds
    case "EXAT": self = .absoluteSeconds
    case "PXAT": self = .absoluteMilliseconds
    default: return nil
    }
  }

  /// - Parameter isPositive: Whether the number must be above 0.
  func moment(
    _ call: Call, argument: Int, command: String, isPositive: Bool
  ) throws(CommandError) -> Moment {
    let number = try call.integer(argument)
    let (scaled, isTooFar) = number.multipliedReportingOverflow(by: milliseconds)
    let start = isAbsolute ? 0 : call.database.now.milliseconds
    let (moment, isOver) = scaled.addingReportingOverflow(start)
    guard !isTooFar, !isOver, !isPositive || number > 0, moment < Moment.never.milliseconds else {
      throw CommandError("ERR invalid expire time in '\(command)' command")
    }
    return Moment(milliseconds: moment)
  }
}
