import TestSupport
import XCTest

@testable import ReactorHTTP

/// Every state of a connection, in every ending by client, handler, server and loop.
final class HTTPEndingsTests: XCTestCase {
  private func run(_ ending: HTTPEnding, file: StaticString = #filePath, line: UInt = #line) throws
  {
    let before = try ProcessState.now()
    for state in HTTPState.allCases {
      do {
        for complaint in try HTTPCell(state, ending).run() {
          XCTFail("\(state), \(ending): \(complaint)", file: file, line: line)
        }
      } catch {
        XCTFail("\(state), \(ending): \(error)", file: file, line: line)
      }
    }
    XCTAssertEqual(try before.differences(), [], file: file, line: line)
  }

  func test_everyCallbackRunsOnce_whenTheClientEndsItsSide() throws { try run(.clientEndsItsSide) }
  func test_everyCallbackRunsOnce_whenTheClientCloses() throws { try run(.clientCloses) }
  func test_everyCallbackRunsOnce_whenTheClientResets() throws { try run(.clientResets) }
  func test_everyCallbackRunsOnce_whenTheResponseIsCut() throws { try run(.responseIsCut) }
  func test_everyCallbackRunsOnce_whenTheWriterIsDropped() throws { try run(.writerIsDropped) }
  func test_everyCallbackRunsOnce_whenTheServerShutsDown() throws { try run(.serverShutsDown) }
  func test_everyCallbackRunsOnce_whenTheServerIsDropped() throws { try run(.serverIsDropped) }
  func test_everyCallbackRunsOnce_whenTheLoopIsClosed() throws { try run(.loopIsClosed) }
  func test_noCallbackRunsTwiceOrIsLeft_whenTheLoopIsDropped() throws { try run(.loopIsDropped) }
}
