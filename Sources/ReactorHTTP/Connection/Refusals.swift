internal import Reactor

extension RequestError {
  /// The head did not arrive in time.
  static let timedOut = RequestError(.requestTimeout, "The request took too long to arrive.")

  /// The body is announced as larger than the server takes.
  static let bodyTooLarge = RequestError(.contentTooLarge, "The body is too large.")
}

extension PumpError {
  /// The client is gone, or this side has closed.
  static let ofLostConnection = PumpError(.connection(.local), byteCountDone: 0)
}

extension HeaderFields {
  /// Whether a header that holds a list has an element, compared without regard to case.
  func listContains(_ name: String, _ element: String) -> Bool {
    values(of: name).contains { value in
      value.utf8.split(separator: UInt8(ascii: ",")).contains { part in
        String(Substring(part)).trimmed.equalsIgnoringCase(element)
      }
    }
  }
}

extension String {
  fileprivate var trimmed: String {
    String(drop { $0 == " " || $0 == "\t" }.reversed().drop { $0 == " " || $0 == "\t" }.reversed())
  }
}
