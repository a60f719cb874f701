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
