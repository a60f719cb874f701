import TestSupport
import XCTest

@testable import PosixAIO

/// What is doubted about the page cache.
final class RangeListTests: XCTestCase {
  func test_listIsTheSetOfItsBytes_asLongAsItsRangesAreFew() {
    let seed = testSeed()
    var random = SeededGenerator(seed: seed)
    for _ in 0..<200 {
      var (list, bytes) = (RangeList(), Set<Int64>())
      // At most 30 ranges have room in 60 bytes.
      for _ in 0..<60 {
        let ends = [Int64.random(in: 0...60, using: &random), .random(in: 0...60, using: &random)]
        let range = ends[0]..<max(ends[0], ends[1])
        if random.oneIn(2) {
          list.insert(range)
          bytes.formUnion(range)
        } else {
          list.remove(range)
          bytes.subtract(range)
        }
        XCTAssertEqual(list.ranges.flatMap { Array($0) }, bytes.sorted(), "seed \(seed)")
        XCTAssertEqual(list.isEmpty, bytes.isEmpty, "seed \(seed)")
        XCTAssertFalse(zip(list.ranges, list.ranges.dropFirst()).contains { $0.overlaps($1) })
        let asked = range.lowerBound..<range.lowerBound + 3
        XCTAssertEqual(list.overlaps(asked), !bytes.isDisjoint(with: asked), "seed \(seed)")
      }
    }
  }

  func test_listOfManyRangesForgetsNone_andStaysShort() {
    let seed = testSeed()
    var random = SeededGenerator(seed: seed)
    var (list, bytes) = (RangeList(), Set<Int64>())
    for _ in 0..<1000 {
      let place = Int64.random(in: 0..<10_000, using: &random)
      list.insert(place..<place + 2)
      bytes.formUnion(place..<place + 2)
      XCTAssertLessThanOrEqual(list.ranges.count, RangeList.limit)
    }
    XCTAssertTrue(bytes.allSatisfy { list.overlaps($0..<$0 + 1) }, "seed \(seed)")
  }

  func test_doubtsAreKeptByFile_andTheOldestIsForgotten() {
    let doubts = CacheDoubts()
    let files = (0...CacheDoubts.fileLimit).map { number in
      CacheDoubts.FileID(device: 1, inode: UInt64(number))
    }
    for file in files.dropLast() { doubts.add(0..<100, of: file) }
    XCTAssertTrue(files.dropLast().allSatisfy { doubts.contains(50..<51, of: $0) })
    XCTAssertFalse(doubts.contains(50..<51, of: files[CacheDoubts.fileLimit]))
    doubts.add(0..<100, of: files[CacheDoubts.fileLimit])
    XCTAssertTrue(doubts.contains(50..<51, of: files[CacheDoubts.fileLimit]))
    XCTAssertEqual(files.filter { !doubts.contains(50..<51, of: $0) }, [files[0]])
    doubts.remove(0..<60, of: files[1])
    XCTAssertFalse(doubts.contains(0..<60, of: files[1]))
    XCTAssertTrue(doubts.contains(59..<61, of: files[1]))
  }
}
