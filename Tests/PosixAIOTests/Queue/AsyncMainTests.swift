import TestSupport
import XCTest

final class AsyncMainTests: XCTestCase {
  func test_everyRequestCompletes_underAnAsynchronousMain() throws {
    let outcome = try Program.run("AsyncMain")
    XCTAssertEqual(outcome.status, 0, outcome.errors)
    XCTAssertTrue(outcome.output.hasPrefix("ok strays="), outcome.output)
    // Its first thread was parked without a mask, so it must have caught some.
    XCTAssertNotEqual(outcome.output, "ok strays=0\n")
  }
}
