internal import Glibc

/// How the end of a response's body is told.
enum ResponseFraming {
  /// By its length, which the header gives; nil for a status that has no body.
  case length(Int64?)
  case chunked
  /// By the end of the connection, for clients of HTTP/1.0.
  case connection
}

/// Status line and header of a response, as they go over the wire.
struct ResponseHead {
  let status: HTTPStatus
  let headers: HeaderFields
  /// Whether these say when.
  let hasDate: Bool
  let framing: ResponseFraming
  /// What the head says of the connection's future; nil for what goes without saying.
  let connection: StaticString?

  /// - Parameters:
  ///   - bytes: What the head is added to.
  ///   - date: The line that says when, for a response whose header does not.
  func append(to bytes: inout [UInt8], date: [UInt8]) {
    bytes.append("HTTP/1.1 ")
    bytes.append(decimal: Int64(status.code))
    bytes.append(UInt8(ascii: " "))
    bytes.append(status.reason)
    bytes.append("\r\n")
    bytes += headers.bytes
    if !hasDate { bytes += date }
    switch framing {
    case .length(let byteCount?):
      bytes.append("Content-Length: ")
      bytes.append(decimal: byteCount)
      bytes.append("\r\n")
    case .chunked: bytes.append("Transfer-Encoding: chunked\r\n")
    case .length(nil), .connection: break
    }
    if let connection {
      bytes.append("Connection: ")
      bytes.append("\(connection)")
      bytes.append("\r\n")
    }
    bytes.append("\r\n")
  }
}

/// The header line that says when a response was made, written once a second.
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

extension [UInt8] {
  /// Adds a number of 0 or more in digits, without a text in between.
  mutating func append(decimal number: Int64) {
    var divisor: Int64 = 1
    while number / divisor >= 10 { divisor *= 10 }
    while divisor > 0 {
      append(UInt8(ascii: "0") + UInt8(number / divisor % 10))
      divisor /= 10
    }
  }

  /// Adds a number of 0 or more in hexadecimal digits.
  mutating func append(hexadecimal number: Int) {
    append(String(number, radix: 16))
  }
}
