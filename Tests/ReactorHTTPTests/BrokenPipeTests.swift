import TestSupport
import XCTest

@testable import ReactorHTTP

/// SIGPIPE belongs to the process, and the server does not change it.
final class BrokenPipeTests: XCTestCase {
  func test_processLivesWithTheSignalAtItsDefault_whateverWritesToAPeerThatIsGone() throws {
    for scenario in ["connections", "pump", "http"] {
      let outcome = try Program.run("BrokenPipes", [scenario])
      XCTAssertEqual(outcome.status, 0, "\(scenario): \(outcome.errors)")
      XCTAssertEqual(outcome.output, "ok\n", scenario)
    }
  }
}
