internal import Reactor

extension RequestError {
  /// The head did not arrive in time.
  static let timedOut = RequestError(.requestTimeout, "The request took too long to arrive.")

  /// The announced body is larger than the limit of the server.
  static let bodyTooLarge = RequestError(.contentTooLarge, "The body is too large.")
}

extension PumpError {
  /// The client or this side has closed the connection.
  static let ofLostConnection = PumpError(.connection(.local), byteCountDone: 0)
}
