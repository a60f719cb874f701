import TestSupport
import XCTest

@testable import PosixAIO

final class QueueUnitTests: XCTestCase {
  // MARK: GroupTable

  func test_groupIDNamesItsGroupAlone() {
    let pool = RequestPool()
    var table = GroupTable(ofQueue: 1)
    let requests = (0..<6).map { _ in pool.allocate() }
    let first = table.open(Array(requests[0..<3]))
    let second = table.open(Array(requests[3..<6]))
    XCTAssertNotEqual(first, second)
    XCTAssertEqual(members(table, first), requests[0..<3].map(\.pointee.index))
    // From the middle, the front and the end.
    table.leave(requests[1])
    XCTAssertEqual(members(table, first), [requests[0], requests[2]].map(\.pointee.index))
    table.leave(requests[0])
    table.leave(requests[2])
    XCTAssertEqual(members(table, first), [])
    XCTAssertEqual(members(table, second), requests[3..<6].map(\.pointee.index))
  }

  func test_lateAndForeignGroupIDsNameNothing() {
    let pool = RequestPool()
    var table = GroupTable(ofQueue: 1)
    XCTAssertEqual(members(table, GroupID(index: 0, generation: 1)), [])
    let request = pool.allocate()
    let late = table.open([request])
    XCTAssertEqual(members(table, late), [request.pointee.index])
    table.leave(request)
    let groupID = table.open([request])
    XCTAssertEqual(groupID.index, late.index, "the place is used again")
    XCTAssertEqual(members(table, late), [])
    XCTAssertEqual(members(table, .none), [])
    XCTAssertEqual(members(table, GroupID(rawValue: .max)), [])
    XCTAssertEqual(members(table, GroupID(rawValue: groupID.rawValue + 1)), [])
    XCTAssertEqual(members(table, groupID), [request.pointee.index])
  }

  func test_groupIDsOfOneTableNameNothingInAnother() {
    let pool = RequestPool()
    var groupIDs: Set<UInt64> = []
    for number in 1...1000 {
      var table = GroupTable(ofQueue: UInt32(number))
      for _ in 0..<3 {
        let request = pool.allocate()
        let groupID = table.open([request])
        XCTAssertTrue(groupIDs.insert(groupID.rawValue).inserted)
        XCTAssertNotEqual(groupID, .none)
        table.leave(request)
        pool.release(request)
      }
    }
  }

  private func members(_ table: GroupTable, _ groupID: GroupID) -> [UInt32] {
    var found: [UInt32] = []
    var member = table.first(of: groupID)
    while let request = member {
      found.append(request.pointee.index)
      member = request.pointee.nextInGroup
    }
    return found
  }

  // MARK: RequestList

  func test_listIsAnArray_whateverIsDoneToIt() {
    let seed = testSeed()
    var random = SeededGenerator(seed: seed)
    let pool = RequestPool()
    var list = RequestList()
    var model: [RequestRef] = []
    for _ in 0..<5000 {
      switch Int.random(in: 0..<6, using: &random) {
      case 0, 1:
        let request = pool.allocate()
        list.append(request)
        model.append(request)
      case 2:
        let request = pool.allocate()
        list.prepend(request)
        model.insert(request, at: 0)
      case 3 where !model.isEmpty:
        let request = model.remove(at: Int.random(in: model.indices, using: &random))
        list.remove(request)
        pool.release(request)
      case 4:
        let request = list.popFirst()
        XCTAssertEqual(request?.pointee.index, model.first?.pointee.index, "seed \(seed)")
        if let request {
          model.removeFirst()
          pool.release(request)
        }
      default:
        let request = list.popLast()
        XCTAssertEqual(request?.pointee.index, model.popLast()?.pointee.index, "seed \(seed)")
        if let request { pool.release(request) }
      }
      XCTAssertEqual(list.count, model.count, "seed \(seed)")
      XCTAssertEqual(list.isEmpty, model.isEmpty, "seed \(seed)")
    }
    var found: [UInt32] = []
    var next = list.first
    while let request = next {
      found.append(request.pointee.index)
      next = request.pointee.next
    }
    XCTAssertEqual(found, model.map(\.pointee.index), "seed \(seed)")
  }

  func test_slotsKeepTheirPlace_andANameIsNotUsedAgain() {
    let pool = RequestPool()
    var names: Set<RequestID> = []
    for _ in 0..<3 {
      let requests = (0..<200).map { _ in pool.allocate() }
      for request in requests {
        XCTAssertTrue(names.insert(RequestID(request, queue: 1)).inserted)
        XCTAssertTrue(pool.slot(request.pointee.index).map { $0 == request } ?? false)
      }
      for request in requests { pool.release(request) }
    }
    XCTAssertEqual(Set(names.map(\.index)).count, 200)
    XCTAssertNil(pool.slot(.max))
  }

  // MARK: DurationHistogram

  func test_percentilesAreOffByAnEighthAtTheMost() {
    let seed = testSeed()
    var random = SeededGenerator(seed: seed)
    for _ in 0..<20 {
      var histogram = DurationHistogram()
      var values: [UInt64] = []
      for _ in 0..<1000 {
        // Of every magnitude.
        let value =
          UInt64.random(in: 0...(.max >> 1), using: &random)
          >> UInt64.random(in: 0..<63, using: &random)
        histogram.record(value)
        values.append(value)
      }
      values.sort()
      XCTAssertEqual(histogram.count, 1000)
      for fraction in [0, 0.001, 0.25, 0.5, 0.9, 0.99, 0.999, 1] {
        let place = max(0, Int((fraction * 1000).rounded(.up)) - 1)
        let expected = Double(values[place])
        let found = Double(histogram.percentile(fraction) / .nanoseconds(1))
        XCTAssertEqual(
          found, expected, accuracy: expected / 7.9 + 0.001, "\(fraction), seed \(seed)")
      }
    }
  }

  func test_histogramSumsExactly_andCountsWhatWasNotLonger() {
    let seed = testSeed()
    var random = SeededGenerator(seed: seed)
    var histogram = DurationHistogram()
    let values = (0..<1000).map { _ in
      UInt64.random(in: 0..<(1 << 40), using: &random) >> UInt64.random(in: 0..<40, using: &random)
    }
    for value in values { histogram.record(value) }
    XCTAssertEqual(histogram.sum, .nanoseconds(Int64(values.reduce(0, +))), "seed \(seed)")
    for bound in [0, 1, 7, 8, 1000, 123_456_789, 1 << 39, 1 << 40] as [UInt64] {
      let found = histogram.count(upTo: .nanoseconds(Int64(bound)))
      // The bucket of the bound counts as a whole, which is a quarter of it at the most.
      let (least, most) = (values.count { $0 <= bound }, values.count { $0 <= bound + bound / 4 })
      XCTAssertTrue((UInt64(least)...UInt64(most)).contains(found), "\(bound), seed \(seed)")
    }
    XCTAssertEqual(histogram.count(upTo: .seconds(-1)), 0)
  }

  func test_histogramTakesEveryValue() {
    var histogram = DurationHistogram()
    XCTAssertEqual(histogram.percentile(0.5), .zero)
    for value in [0, 1, 2, 3, 4, 5, 7, 8, UInt64(Int64.max), .max] { histogram.record(value) }
    XCTAssertEqual(histogram.count, 10)
    XCTAssertEqual(histogram.percentile(0), .zero)
    XCTAssertEqual(histogram.percentile(0.4), .nanoseconds(3))
    XCTAssertEqual(histogram.percentile(1), .nanoseconds(Int64.max))
  }
}
