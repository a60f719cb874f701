import TestSupport
import XCTest

/// glibc's helper threads do not exist in a forked child, but its table still names them.
final class ForkTests: XCTestCase {
  func test_submitIsRefused_inTheChildOfAProcessThatUsedAIO() throws {
    try check("fork-after-use")
  }

  func test_operationsRun_inTheChildOfAProcessThatDidNotUseAIO() throws {
    try check("fork-before-use")
  }

  func test_waitingIsRefused_inTheChild_whenTheParentsOperationIsInFlight() throws {
    try check("fork-in-flight")
  }

  private func check(_ scenario: String) throws {
    let outcome = try Program.run("OperationScenario", [scenario])
    XCTAssertEqual(outcome.output, "ok\n")
    XCTAssertEqual(outcome.errors, "")
    XCTAssertEqual(outcome.status, 0)
  }
}
