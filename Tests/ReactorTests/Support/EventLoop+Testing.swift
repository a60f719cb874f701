import Reactor
import TestSupport
import XCTest

extension EventLoop {
  /// Runs the loop until `stop()`, and fails the test when that does not come.
  func runUntilStopped(file: StaticString = #filePath, line: UInt = #line) {
    let deadline = schedule(after: testDeadline) { [unowned self] in
      XCTFail("the loop was not stopped in time", file: file, line: line)
      stop()
    }
    run()
    deadline.cancel()
  }
}
