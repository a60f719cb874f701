internal import Glibc

/// How a client finds the end of the body of a response.
enum ResponseFraming {
  /// By its length, which the header states; nil for a status without a body.
  case length(Int64?)
  case chunked
  /// By the end of the connection, for clients of HTTP/1.0.
  case connection
}

/// The status line and header of a response, as they are sent.
struct ResponseHead {
  let status: HTTPStatus
  let headers: HeaderFields
  /// Whether `headers` has a `Date`.
  let hasDate: Bool
  let framing: ResponseFraming
  /// The value of the `Connection` field; nil if the default applies.
  let connection: StaticString?
}

/// The memory that a server's connections write heads into, and the bytes that many heads begin
/// with.
final class HeadMemory {
  #if !DEBUG
    @safe @exclusivity(unchecked)
  #endif
  private var memory: [UInt8] = []
  /// The fields that each head begins with, as they are sent.
  private let commonFields: [UInt8]
  /// The status line of the last response and the common fields, followed by the date line of its
  /// second.
  private var start: [UInt8] = []
  private var startStatus: HTTPStatus?
  private var startSecond: time_t = .min
  private var byteCountBeforeDate = 0

  /// - Parameter common: The fields that each head begins with.
  init(_ common: HeaderFields) {
    commonFields = common.bytes
  }

  /// Calls `body` with the bytes of a head.
  func withBytes(of head: ResponseHead, _ body: (Span<UInt8>) -> Void) {
    updateStart(head.status)
    var bytes = takeMemory()
    bytes.append(start.span.extracting(first: head.hasDate ? byteCountBeforeDate : start.count))
    bytes.append(head.headers.bytes.span)
    switch head.framing {
    case .length(let byteCount?):
      bytes.append("Content-Length: ")
      bytes.append(decimal: byteCount)
      bytes.append("\r\n")
    case .chunked: bytes.append("Transfer-Encoding: chunked\r\n")
    case .length(nil), .connection: break
    }
    if let connection = head.connection {
      bytes.append("Connection: ")
      bytes.append(connection)
      bytes.append("\r\n")
    }
    bytes.append("\r\n")
    body(bytes.span)
    memory = bytes
  }

  /// Calls `body` with the line that begins a chunk.
  func withChunkSize(_ byteCount: Int, _ body: (Span<UInt8>) -> Void) {
    var bytes = takeMemory()
    bytes.append(String(byteCount, radix: 16).utf8Span.span)
    bytes.append("\r\n")
    body(bytes.span)
    memory = bytes
  }

  private func takeMemory() -> [UInt8] {
    var taken: [UInt8] = []
    swap(&taken, &memory)
    taken.removeAll(keepingCapacity: true)
    return taken
  }

  private func updateStart(_ status: HTTPStatus) {
    let now = time(nil)
    if now == startSecond, status == startStatus { return }
    start.removeAll(keepingCapacity: true)
    start.append("HTTP/1.1 ")
    start.append(decimal: Int64(status.code))
    start.append(" ")
    start.append(status.reason.utf8Span.span)
    start.append("\r\n")
    start += commonFields
    byteCountBeforeDate = start.count
    start += "Date: \(HTTPDate(secondsSinceEpoch: Int64(now)))\r\n".utf8
    (startSecond, startStatus) = (now, status)
  }
}

extension [UInt8] {
  /// Appends a text in UTF-8.
  fileprivate mutating func append(_ text: StaticString) {
    text.withUTF8Buffer { unsafe append(contentsOf: $0) }
  }

  /// Appends a number of 0 or more in decimal, without making a string.
  fileprivate mutating func append(decimal number: Int64) {
    // The number of digits of `Int64.max`.
    var digits = InlineArray<19, UInt8>(repeating: 0)
    var start = digits.count
    var rest = number
    repeat {
      start -= 1
      digits[start] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
      rest /= 10
    } while rest > 0
    append(digits.span.extracting(start..<digits.count))
  }
}
