import Glibc
internal import PosixAIO
import Reactor
import ReactorHTTP

extension FileStatus.Time {
  func isBefore(_ other: FileStatus.Time) -> Bool {
    (seconds, nanoseconds) < (other.seconds, other.nanoseconds)
  }
}

extension HTTPDate {
  /// The current second.
  static var now: HTTPDate { HTTPDate(secondsSinceEpoch: Int64(time(nil))) }
}
