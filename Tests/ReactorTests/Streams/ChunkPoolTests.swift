import PosixAIO
import XCTest

@testable import Reactor

final class ChunkPoolTests: XCTestCase {
  private let pool = ChunkPool()

  /// Where a buffer's memory is.
  private func address(_ buffer: borrowing IOBuffer) -> UInt {
    unsafe UInt(bitPattern: buffer.unsafeMemory.baseAddress)
  }

  private func isAligned(_ buffer: borrowing IOBuffer) -> Bool {
    address(buffer).isMultiple(of: UInt(IOBuffer.pageAlignment))
  }

  func test_memoryIsUsedAgain_forAnotherSizeThatFits() {
    let first = pool.take(5000)
    XCTAssertGreaterThanOrEqual(first.capacity, 5000)
    let former = address(first)
    pool.give(first)
    let second = pool.take(7000)
    XCTAssertEqual(address(second), former)
    XCTAssertEqual(second.count, 0)
    let third = pool.take(7000)
    XCTAssertNotEqual(address(third), former, "it has one owner")
  }

  func test_everySizeIsHeldByItsBuffer() {
    for byteCount in [1, 4095, 4096, 4097, 131_071, 131_072, 131_073, 10_000_000] {
      for _ in 0..<3 {
        let buffer = pool.take(byteCount)
        XCTAssertGreaterThanOrEqual(buffer.capacity, byteCount)
        XCTAssertLessThan(buffer.capacity, 2 * max(byteCount, IOBuffer.pageAlignment))
        XCTAssertTrue(isAligned(buffer), "\(byteCount): direct reads want it")
        pool.give(buffer)
      }
    }
  }

  func test_validBytesOfTheFormerUserAreNotShown() {
    var buffer = pool.take(100)
    buffer.append(contentsOf: [1, 2, 3])
    pool.give(buffer)
    XCTAssertEqual(pool.take(100).count, 0)
  }

  func test_memoryOfAnotherKindIsNotKept() {
    for capacity in [0, 100, 5000, 8_388_608] {
      pool.give(IOBuffer(capacity: capacity, alignment: 16))
    }
    // Of the right size, and not where a page begins: one of three that lie beside one another.
    for _ in 0..<3 {
      let buffer = IOBuffer(capacity: 4096, alignment: 16)
      guard !isAligned(buffer) else { continue }
      pool.give(buffer)
    }
    XCTAssertEqual(pool.byteCount, 0)
  }

  func test_whatIsKeptHasALimit() {
    for _ in 0..<100 { pool.give(IOBuffer(capacity: 131_072)) }
    XCTAssertEqual(pool.byteCount, ChunkPool.byteLimit)
    let buffer = pool.take(131_072)
    XCTAssertEqual(pool.byteCount, ChunkPool.byteLimit - buffer.capacity)
  }

  func test_largeMemoryMakesRoomForSmall_andNotTheOtherWayRound() {
    for _ in 0..<100 { pool.give(IOBuffer(capacity: 131_072)) }
    let small = IOBuffer(capacity: 4096)
    let former = address(small)
    pool.give(small)
    XCTAssertLessThanOrEqual(pool.byteCount, ChunkPool.byteLimit)
    XCTAssertEqual(address(pool.take(4096)), former)
    while pool.byteCount > 0 { _ = pool.take(131_072) }
    for _ in 0..<ChunkPool.byteLimit / 4096 { pool.give(IOBuffer(capacity: 4096)) }
    XCTAssertEqual(pool.byteCount, ChunkPool.byteLimit)
    pool.give(IOBuffer(capacity: 131_072))
    XCTAssertEqual(pool.byteCount, ChunkPool.byteLimit)
    XCTAssertNotEqual(pool.take(4096).capacity, 0)
    XCTAssertEqual(pool.byteCount, ChunkPool.byteLimit - 4096)
  }
}
