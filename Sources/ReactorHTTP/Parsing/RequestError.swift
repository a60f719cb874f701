/// The reason why a request is refused. The connection cannot be read any further, because the
/// start of the next request is unknown.
struct RequestError: Error, Equatable {
  /// The status: 400, 408, 413, 414, 417, 431, 501 or 505.
  let status: HTTPStatus

  /// One line of plain English without a line end. It contains no text from the client.
  let explanation: String

  init(_ status: HTTPStatus, _ explanation: String) {
    self.status = status
    self.explanation = explanation
  }

  /// Creates a 400.
  static func bad(_ explanation: String) -> RequestError {
    RequestError(.badRequest, explanation)
  }

  static let bareCarriageReturn = bad("A carriage return is not followed by a line feed.")
}
