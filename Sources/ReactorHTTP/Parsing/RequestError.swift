/// Why a request is refused. Its connection can't be read any further: where the next request
/// begins is not known.
struct RequestError: Error, Equatable {
  /// 400, 413, 414, 417, 431, 501 or 505.
  let status: HTTPStatus

  /// One line of plain English, without a line end; nothing of it comes from the client.
  let explanation: String

  init(_ status: HTTPStatus, _ explanation: String) {
    self.status = status
    self.explanation = explanation
  }

  /// 400.
  static func bad(_ explanation: String) -> RequestError {
    RequestError(.badRequest, explanation)
  }

  static let bareCarriageReturn = bad("A carriage return is not followed by a line feed.")
}
