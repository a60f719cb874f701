import XCTest

@testable import Stress

final class OperationSequenceTests: XCTestCase {
  private func operations(
    _ count: Int, _ change: (inout OperationSequence.Options) -> Void = { _ in }
  ) -> [StressOperation] {
    var options = OperationSequence.Options(seed: 3, blockCount: 100)
    change(&options)
    var sequence = OperationSequence(options)
    return (0..<count).map { _ in sequence.next() }
  }

  func test_sameSeedGivesTheSameOperations() {
    let first = operations(5000) { $0.cancelPercent = 20 }
    XCTAssertTrue(operations(5000) { $0.cancelPercent = 20 } == first)
    XCTAssertFalse(
      operations(5000) {
        $0.cancelPercent = 20
        $0.seed = 4
      } == first)
  }

  func test_digestTellsSequencesApart() {
    func digest(_ seed: UInt64) -> UInt64 {
      var sequence = OperationSequence(OperationSequence.Options(seed: seed, blockCount: 100))
      for _ in 0..<100 { _ = sequence.next() }
      return sequence.digest
    }
    XCTAssertEqual(digest(1), digest(1))
    XCTAssertNotEqual(digest(1), digest(2))
  }

  func test_syncComesAfterEachSoManyWrites() {
    for writesPerSync in [1, 7] {
      var writeCount = 0
      var syncCount = 0
      for operation in operations(5000, { $0.writesPerSync = writesPerSync }) {
        switch operation.kind {
        case .read: break
        case .write:
          writeCount += 1
          XCTAssertLessThanOrEqual(writeCount, writesPerSync)
        case .sync:
          XCTAssertTrue(writeCount == writesPerSync || writeCount == 0)
          writeCount = 0
          syncCount += 1
        }
      }
      XCTAssertGreaterThan(syncCount, 0)
    }
    XCTAssertFalse(operations(5000) { $0.writesPerSync = 0 }.contains { $0.isSync })
  }

  func test_percentagesAreKept() {
    XCTAssertTrue(operations(2000) { $0.readPercent = 100 }.allSatisfy { $0.isRead })
    XCTAssertFalse(operations(2000) { $0.readPercent = 0 }.contains { $0.isRead })
    XCTAssertTrue(operations(2000).allSatisfy { $0.cancellation == nil })
    XCTAssertTrue(
      operations(2000) { $0.cancelPercent = 100 }.allSatisfy { $0.cancellation != nil })
    let readCount = operations(10_000) { $0.readPercent = 50 }.count { $0.isRead }
    XCTAssertTrue((4000...6000).contains(readCount), "\(readCount)")
  }

  func test_blocksAreInTheFile_evenIfThereIsOne() {
    for blockCount in [1, 3, 1000] {
      for operation in operations(3000, { $0.blockCount = blockCount }) {
        switch operation.kind {
        case .read(let block), .write(let block): XCTAssertTrue((0..<blockCount).contains(block))
        case .sync: break
        }
      }
    }
  }
}

extension StressOperation {
  fileprivate var isRead: Bool { if case .read = kind { true } else { false } }
  fileprivate var isSync: Bool { if case .sync = kind { true } else { false } }
}
