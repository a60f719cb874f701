internal import Glibc

/// Status line and header of an answer, as they go over the wire.
enum AnswerHead {
  /// - Parameters:
  ///   - contentLength: Nil for an answer that has no body by its status.
  ///   - date: The line that says when, for an answer whose header does not.
  static func bytes(
    _ status: HTTPStatus, _ headers: HTTPFields, contentLength: Int?, date: [UInt8]
  ) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(usualByteCount)
    bytes.append("HTTP/1.1 ")
    bytes.append(String(status.code))
    bytes.append(" ")
    bytes.append(status.reason)
    bytes.append("\r\n")
    bytes += headers.bytes
    if !headers.contains("Date") { bytes += date }
    if let contentLength {
      bytes.append("Content-Length: ")
      bytes.append(String(contentLength))
      bytes.append("\r\n")
    }
    bytes.append("\r\n")
    return bytes
  }

  private static let usualByteCount = 512
}

/// The header line that says when an answer was made, written once a second.
struct DateLine {
  private var second: time_t = .min
  private var line: [UInt8] = []

  /// The line of the present second.
  mutating func now() -> [UInt8] {
    let now = time(nil)
    if now != second {
      second = now
      line = Array("Date: \(HTTPDate(secondsSinceEpoch: Int64(now)))\r\n".utf8)
    }
    return line
  }
}
