internal import Glibc

/// Status line and header of an answer, as they go over the wire.
enum AnswerHead {
  /// - Parameters:
  ///   - contentLength: Nil for an answer that has no body by its status.
  ///   - date: The line that says when, for an answer whose header does not.
  static func bytes(
    _ status: HTTPStatus, _ headers: HTTPFields, contentLength: Int?, date: [UInt8]
  ) -> [UInt8] {
    let date = headers.contains("Date") ? [] : date
    let capacity = ownByteLimit + status.reason.utf8.count + headers.bytes.count + date.count
    return [UInt8](byteLimit: capacity) { bytes in
      bytes.append("HTTP/1.1 ")
      bytes.append(decimal: status.code)
      bytes.append(" ")
      bytes.append(status.reason)
      bytes.append("\r\n")
      bytes.append(headers.bytes.span)
      bytes.append(date.span)
      if let contentLength {
        bytes.append("Content-Length: ")
        bytes.append(decimal: contentLength)
        bytes.append("\r\n")
      }
      bytes.append("\r\n")
    }
  }

  /// Of what is neither the reason nor a line of the caller's.
  private static let ownByteLimit =
    "HTTP/1.1 100 \r\nContent-Length: \r\n\r\n".utf8.count + String(Int.max).utf8.count
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
