import TestSupport

/// Why a test cannot go on.
struct Failure: Error, CustomStringConvertible {
  let description: String

  init(_ description: String) {
    self.description = description
  }
}

/// Goes on with `step` until it holds.
func repeatUntil(_ what: String, _ step: () throws -> Bool) throws {
  let end = ContinuousClock.now + testDeadline
  while try !step() {
    guard .now < end else { throw Failure("the deadline passed before \(what)") }
  }
}
