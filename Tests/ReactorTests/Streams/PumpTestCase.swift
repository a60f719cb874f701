import PosixAIO
import Reactor
import SystemPackage
import TestSupport
import XCTest

/// A file in a loop, and a pump that is waited for.
class PumpTestCase: XCTestCase {
  final func make(_ byteCount: Int = 0) throws -> (EventLoop, TemporaryDirectory, File, [UInt8]) {
    let (folder, loop) = (try TemporaryDirectory(), try EventLoop())
    let bytes = Pattern.block(byteCount, byteCount: byteCount)
    try folder.write(bytes, to: "file")
    return (loop, folder, try loop.open(folder.path.appending("file")), bytes)
  }

  /// Runs the loop until a pump has given its outcome.
  final func outcome(
    _ loop: EventLoop, _ call: (@escaping Pump.Handler) -> Void
  ) throws -> Result<Int64, PumpError> {
    var outcome: Result<Int64, PumpError>?
    call { result in
      XCTAssertNil(outcome, "called twice")
      outcome = result
      loop.stop()
    }
    XCTAssertNil(outcome, "called from inside the call")
    loop.runUntilStopped()
    return try XCTUnwrap(outcome)
  }
}
