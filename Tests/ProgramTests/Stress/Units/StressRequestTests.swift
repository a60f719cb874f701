import PosixAIO
import SystemPackage
import XCTest

@testable import Stress

/// The checks of the queue's results.
final class StressRequestTests: XCTestCase {
  private func request(
    _ status: CompletionQueue.CancelStatus?, _ cancellation: StressOperation.Cancellation? = nil
  ) -> StressRequest {
    let operation = StressOperation(
      number: 1, kind: .read(block: 0), cancellation: cancellation)
    let request = StressRequest(operation)
    request.begin(operation, expected: .version(0))
    if let status { request.wasCancelled(status) }
    return request
  }

  private func failure(_ errno: Errno) -> Result<Int, FileError> {
    .failure(FileError(operation: .read, path: nil, errno: errno))
  }

  func test_resultsThatFitAreAccepted() {
    for status: CompletionQueue.CancelStatus? in [nil, .notCanceled, .allDone] {
      XCTAssertNil(request(status).fault(in: .success(64), isBufferBack: true))
    }
    XCTAssertNil(request(.canceled).fault(in: failure(.canceled), isBufferBack: true))
    XCTAssertNil(request(.abandoned).fault(in: failure(.canceled), isBufferBack: false))
    let late = request(nil, .deadline(.nanoseconds(1)))
    XCTAssertNil(late.fault(in: failure(.timedOut), isBufferBack: true))
    XCTAssertNil(late.fault(in: failure(.timedOut), isBufferBack: false))
  }

  func test_resultsThatDoNotFitAreFound() {
    XCTAssertNotNil(request(.canceled).fault(in: .success(64), isBufferBack: true))
    XCTAssertNotNil(request(.abandoned).fault(in: .success(64), isBufferBack: true))
    XCTAssertNotNil(request(nil).fault(in: .success(64), isBufferBack: false))
    XCTAssertNotNil(request(nil).fault(in: failure(.canceled), isBufferBack: true))
    XCTAssertNotNil(request(.notCanceled).fault(in: failure(.canceled), isBufferBack: true))
    XCTAssertNotNil(request(.canceled).fault(in: failure(.canceled), isBufferBack: false))
    XCTAssertNotNil(request(.abandoned).fault(in: failure(.canceled), isBufferBack: true))
    XCTAssertNotNil(request(nil).fault(in: failure(.timedOut), isBufferBack: true))
    XCTAssertNotNil(request(nil).fault(in: failure(.ioError), isBufferBack: true))
    let early = request(nil, .deadline(.seconds(1000)))
    XCTAssertNotNil(early.fault(in: failure(.timedOut), isBufferBack: true))
  }

  func test_secondCompletionIsFound() {
    let request = request(nil)
    request.end()
    XCTAssertEqual(
      request.fault(in: .success(64), isBufferBack: true), "completed more than once")
  }
}
