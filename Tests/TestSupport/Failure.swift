/// Why a test cannot go on.
public struct Failure: Error, CustomStringConvertible {
  /// One line for people.
  public let description: String

  /// Says why.
  public init(_ description: String) {
    self.description = description
  }
}

/// Goes on with `step` until it holds.
public func repeatUntil(_ what: String, _ step: () throws -> Bool) throws {
  let end = ContinuousClock.now + testDeadline
  while try !step() {
    guard .now < end else { throw Failure("the deadline passed before \(what)") }
  }
}
