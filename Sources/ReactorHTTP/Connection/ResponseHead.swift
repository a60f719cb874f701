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
}

/// The memory in which a server's connections write heads, and what many heads begin with.
final class HeadMemory {
  #if !DEBUG
    @safe @exclusivity(unchecked)
  #endif
  private var memory: [UInt8] = []
  /// The status line of the last response, and after it the date line of its second.
  private var start: [UInt8] = []
  private var startStatus: HTTPStatus?
  private var startSecond: time_t = .min
  private var statusLineByteCount = 0

  /// Lends a head as it goes over the wire.
  func withBytes(of head: ResponseHead, _ body: (Span<UInt8>) -> Void) {
    updateStart(head.status)
    var bytes = takeMemory()
    bytes.append(start.span.extracting(first: head.hasDate ? statusLineByteCount : start.count))
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

  /// Lends the line that a chunk begins with.
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
    statusLineByteCount = start.count
    start += "Date: \(HTTPDate(secondsSinceEpoch: Int64(now)))\r\n".utf8
    (startSecond, startStatus) = (now, status)
  }
}

extension [UInt8] {
  /// Adds a text in UTF-8.
  fileprivate mutating func append(_ text: StaticString) {
    text.withUTF8Buffer { unsafe append(contentsOf: $0) }
  }

  /// Adds a number of 0 or more in digits, without a text in between.
  fileprivate mutating func append(decimal number: Int64) {
    // Of Int64's largest number.
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
