import PosixAIO
import ProgramSupport
import Reactor
import ReactorHTTP

/// Checks the passwords of requests on one loop.
///
/// A password is checked on a helper thread, one at a time. The fields of the last passwords that
/// were right are remembered, so that further requests with them need no check.
final class Authenticator {
  enum Outcome {
    case allowed
    /// 401.
    case refused
    /// 503: too many passwords are waiting to be checked.
    case overloaded
  }

  /// The most passwords that wait to be checked.
  private static let waitingLimit = 100

  /// The most fields that are remembered.
  private static let rememberedLimit = 100

  private let credentials: Credentials
  private let loop: EventLoop
  private var waiting = FIFO<() -> Void>()
  private var isChecking = false
  private var remembered: [[UInt8]] = []

  init(_ credentials: Credentials, on loop: EventLoop) {
    self.credentials = credentials
    self.loop = loop
  }

  /// - Parameters:
  ///   - field: The value of `Authorization`; nil without one.
  ///   - isLost: Whether the client has left, so that its password need not be checked.
  ///   - handler: Called once; **from inside this call** if no password must be checked.
  func check(
    _ field: String?, unless isLost: @escaping () -> Bool,
    _ handler: @escaping (Outcome) -> Void
  ) {
    guard let field, let authorization = BasicAuthorization(field) else { return handler(.refused) }
    let bytes = Array(field.utf8)
    if remembers(bytes) { return handler(.allowed) }
    guard waiting.count < Self.waitingLimit else { return handler(.overloaded) }
    waiting.append { [self] in
      if isLost() {
        checkNext()
        return handler(.refused)
      }
      // An earlier request may have had the same field.
      if remembers(bytes) {
        checkNext()
        return handler(.allowed)
      }
      start(authorization, bytes, handler)
    }
    if !isChecking { checkNext() }
  }

  private func checkNext() {
    guard let next = waiting.popFirst() else { return }
    next()
  }

  private func start(
    _ authorization: BasicAuthorization, _ field: [UInt8], _ handler: @escaping (Outcome) -> Void
  ) {
    isChecking = true
    let credentials = credentials
    loop.offload {
      credentials.allow(authorization.user, authorization.password)
    } _: { [self] result in
      isChecking = false
      if case .success(true) = result { remember(field) }
      checkNext()
      switch result {
      case .success(let isAllowed): handler(isAllowed ? .allowed : .refused)
      case .failure: handler(.overloaded)
      }
    }
  }

  private func remembers(_ field: [UInt8]) -> Bool {
    remembered.contains { isEqualInConstantTime($0, field) }
  }

  private func remember(_ field: [UInt8]) {
    if remembered.count == Self.rememberedLimit { remembered.removeFirst() }
    remembered.append(field)
  }
}
