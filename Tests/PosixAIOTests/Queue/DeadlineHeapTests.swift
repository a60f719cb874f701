import TestSupport
import XCTest

@testable import PosixAIO

final class DeadlineHeapTests: XCTestCase {
  func test_earliestIsAlwaysTheSmallest_whateverIsTakenOut() {
    let seed = testSeed()
    var random = SeededGenerator(seed: seed)
    for _ in 0..<50 {
      let pool = RequestPool()
      var heap = DeadlineHeap()
      var model: [(deadline: UInt64, request: RequestRef)] = []
      for _ in 0..<400 {
        if model.isEmpty || random.oneIn(2) {
          let request = pool.allocate()
          // Few values, so that many are equal.
          request.pointee.deadline = .random(in: 0..<40, using: &random)
          heap.insert(request)
          model.append((request.pointee.deadline, request))
        } else {
          let place = Int.random(in: model.indices, using: &random)
          let (_, request) = model.remove(at: place)
          heap.remove(request)
          // Once more does nothing.
          heap.remove(request)
          pool.release(request)
        }
        XCTAssertEqual(
          heap.earliest?.pointee.deadline, model.map(\.deadline).min(), "seed \(seed)")
      }
      var drained: [UInt64] = []
      while let earliest = heap.earliest {
        drained.append(earliest.pointee.deadline)
        heap.remove(earliest)
        XCTAssertEqual(earliest.pointee.deadlineIndex, -1)
      }
      XCTAssertEqual(drained, model.map(\.deadline).sorted(), "seed \(seed)")
    }
  }
}
