internal import Reactor

extension RequestError {
  /// The head did not arrive in time.
  static let timedOut = RequestError(.requestTimeout, "The request took too long to arrive.")

  /// The announced body is larger than the limit of the server.
  static let bodyTooLarge = RequestError(.contentTooLarge, "The body is too large.")

  /// In bytes.
  private static let longestLoggedLine = 2048

  /// The first line of what is refused, for the log.
  static func firstLine(_ bytes: RawSpan) -> String {
    let shown = Span<UInt8>(_bytes: bytes).extracting(first: longestLoggedLine)
    var line: [UInt8] = []
    for index in shown.indices {
      let byte = shown[index]
      if byte == UInt8(ascii: "\r") || byte == UInt8(ascii: "\n") {
        if line.isEmpty { continue }
        break
      }
      line.append(byte)
    }
    return String(decoding: line, as: UTF8.self)
  }
}

extension PumpError {
  /// The client or this side has closed the connection.
  static let ofLostConnection = PumpError(.connection(.local), byteCountDone: 0)
}
