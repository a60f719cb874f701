import XCTest

@testable import Stress

final class BlockStateTests: XCTestCase {
  private func state(after outcome: BlockState.WriteOutcome) -> BlockState {
    var state = BlockState(version: 1)
    state.beginWrite(version: 2)
    state.endWrite(outcome)
    return state
  }

  func test_runningWriteLeavesBothOpen() {
    var state = BlockState(version: 1)
    state.beginWrite(version: 2)
    XCTAssertEqual(state.expected, .mixtureOf([1, 2]))
    XCTAssertFalse(state.isFree)
  }

  func test_endedWriteLeavesNothingOpen() {
    XCTAssertEqual(state(after: .whole).expected, .version(2))
    XCTAssertEqual(state(after: .notBegun).expected, .version(1))
    XCTAssertEqual(state(after: .partly).expected, .mixtureOf([1, 2]))
    XCTAssertTrue(state(after: .partly).isFree)
  }

  func test_abandonedWriteKeepsItsBlock_untilASync() {
    var state = state(after: .unseen)
    XCTAssertEqual(state.expected, .mixtureOf([1, 2]))
    XCTAssertFalse(state.isFree)
    XCTAssertTrue(state.hasUnseenWriter)
    state.settle()
    XCTAssertEqual(state.expected, .oneOf([1, 2]))
    XCTAssertTrue(state.isFree)
    state.found(2)
    XCTAssertEqual(state.expected, .version(2))
  }

  func test_doubtGrowsWithEachAbandonedWrite() {
    var state = state(after: .unseen)
    state.settle()
    state.beginWrite(version: 3)
    state.endWrite(.unseen)
    XCTAssertEqual(state.expected, .mixtureOf([1, 2, 3]))
    state.settle()
    XCTAssertEqual(state.expected, .oneOf([1, 2, 3]))
    state.beginWrite(version: 4)
    state.endWrite(.whole)
    XCTAssertEqual(state.expected, .version(4))
  }

  func test_writeWaitsForReads() {
    var state = BlockState(version: 1)
    state.beginRead()
    state.beginRead()
    XCTAssertFalse(state.isFree)
    state.endRead()
    XCTAssertFalse(state.isFree)
    state.endRead()
    XCTAssertTrue(state.isFree)
  }
}
