import TestSupport
import XCTest

@testable import PosixAIO

final class SyncBarrierTests: XCTestCase {
  /// What has to be true, as simply as can be: who was accepted, in order, and has not ended.
  private struct Model {
    var writes: [(epoch: UInt64, order: Int)] = []
    var parked: [(request: RequestRef, order: Int)] = []

    func isDue(_ order: Int) -> Bool { !writes.contains { $0.order < order } }
  }

  func test_syncIsDueExactlyWhenEveryEarlierWriteHasEnded() throws {
    let seed = testSeed()
    var random = SeededGenerator(seed: seed)
    for _ in 0..<100 {
      let pool = RequestPool()
      var barrier = SyncBarrier()
      var model = Model()
      var isSyncing = false
      for order in 0..<300 {
        switch Int.random(in: 0..<10, using: &random) {
        case 0..<4:
          model.writes.append((barrier.writeEnqueued(), order))
        case 4..<7 where !model.writes.isEmpty:
          let place = Int.random(in: model.writes.indices, using: &random)
          barrier.writeFinished(epoch: model.writes.remove(at: place).epoch)
        case 7:
          let sync = pool.allocate()
          sync.pointee.kind = random.oneIn(2) ? .sync : .dataSync
          barrier.park(sync)
          model.parked.append((sync, order))
        case 8 where !model.parked.isEmpty:
          let place = Int.random(in: model.parked.indices, using: &random)
          barrier.remove(model.parked.remove(at: place).request)
        default:
          if isSyncing { barrier.syncEnded() }
          isSyncing = false
        }
        isSyncing = checkDue(&barrier, &model, isSyncing, seed)
      }
      var seen = 0
      barrier.forEachParked { sync in
        XCTAssertTrue(model.parked.contains { $0.request == sync }, "seed \(seed)")
        seen += 1
      }
      XCTAssertEqual(seen, model.parked.count, "seed \(seed)")
    }
  }

  /// - Returns: Whether a sync runs now.
  private func checkDue(
    _ barrier: inout SyncBarrier, _ model: inout Model, _ isSyncing: Bool, _ seed: UInt64
  ) -> Bool {
    let due = model.parked.filter { model.isDue($0.order) }
    guard let leader = barrier.takeDue() else {
      XCTAssertTrue(isSyncing || due.isEmpty, "seed \(seed)")
      return isSyncing
    }
    XCTAssertFalse(isSyncing, "seed \(seed)")
    XCTAssertTrue(due.contains { $0.request == leader }, "seed \(seed)")
    XCTAssertEqual(
      barrier.isDataEnough(for: leader), due.allSatisfy { $0.request.pointee.kind == .dataSync },
      "seed \(seed)")
    var count = 1
    while let served = barrier.takeLastDue() {
      XCTAssertTrue(due.contains { $0.request == served }, "seed \(seed)")
      count += 1
    }
    XCTAssertEqual(count, due.count, "seed \(seed)")
    let current = model
    model.parked.removeAll { current.isDue($0.order) }
    return true
  }
}
