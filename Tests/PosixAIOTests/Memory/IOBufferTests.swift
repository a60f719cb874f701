import PosixAIO
import TestSupport
import Testing
import XCTest

final class IOBufferTests: XCTestCase {
  func test_bufferShowsItsValidBytesOnly() {
    var buffer = IOBuffer(capacity: 8)
    XCTAssertTrue(buffer.isEmpty)
    XCTAssertEqual(Array(buffer), [])
    buffer.append(contentsOf: [1, 2, 3])
    XCTAssertEqual(Array(buffer), [1, 2, 3])
    buffer.truncate(to: 2)
    XCTAssertEqual(Array(buffer), [1, 2])
    buffer.truncate(to: 5)
    XCTAssertEqual(buffer.count, 2)
    buffer.removeAll()
    XCTAssertEqual(buffer.count, 0)
    XCTAssertEqual(buffer.capacity, 8)
  }

  func test_spanHasEachValidByte() {
    var buffer = IOBuffer(capacity: 8)
    XCTAssertEqual(buffer.withSpan { $0.count }, 0)
    buffer.append(contentsOf: [1, 2, 255])
    XCTAssertEqual(buffer.withSpan { span in span.indices.map { span[$0] } }, [1, 2, 255])
  }

  func test_bytesCanBeChangedInPlace() {
    var buffer = IOBuffer(copying: Array("abc".utf8))
    buffer.withMutableBytes { bytes in
      bytes.storeBytes(of: UInt8(ascii: "x"), toByteOffset: 1, as: UInt8.self)
    }
    XCTAssertEqual(String(decoding: buffer), "axc")
  }

  func test_memoryIsAlignedForDirectIO_fromAPageOn() {
    for capacity in [4096, 5000, 1 << 20] {
      let buffer = IOBuffer(capacity: capacity)
      // An address is asked for its alignment only.
      let address = unsafe Int(bitPattern: buffer.unsafeMemory.baseAddress)
      XCTAssertEqual(address % IOBuffer.pageAlignment, 0)
    }
    let small = IOBuffer(capacity: 10, alignment: 512)
    XCTAssertEqual(unsafe Int(bitPattern: small.unsafeMemory.baseAddress) % 512, 0)
  }

  func test_memoryMovesOutAndBackIn_withoutACopy() {
    let buffer = IOBuffer(copying: [1, 2, 3])
    let address = unsafe buffer.unsafeMemory.baseAddress
    let memory = unsafe buffer.relinquish()
    let again = unsafe IOBuffer(adopting: memory, count: 3)
    XCTAssertTrue(unsafe again.unsafeMemory.baseAddress == address)
    XCTAssertEqual(Array(again), [1, 2, 3])
  }

  // MARK: Memory of others

  func test_lentMemoryIsUsedInPlace_andReleasedWithTheBuffer() {
    weak var lender: Lender?
    do {
      let owner = Lender()
      lender = owner
      var buffer = unsafe IOBuffer(lending: owner.memory, count: 0, from: owner)
      buffer.append(contentsOf: [1, 2, 3])
      XCTAssertEqual(unsafe Array(owner.memory.prefix(3)), [1, 2, 3])
      XCTAssertEqual(buffer.capacity, 8)
    }
    XCTAssertNil(lender)
  }

  func test_lentMemoryIsCopied_whenItIsRelinquished() {
    weak var lender: Lender?
    let memory: UnsafeMutableRawBufferPointer
    do {
      let owner = Lender()
      lender = owner
      var buffer = unsafe IOBuffer(lending: owner.memory, count: 0, from: owner)
      buffer.append(contentsOf: [1, 2, 3])
      unsafe memory = buffer.relinquish()
      XCTAssertFalse(unsafe memory.baseAddress == owner.memory.baseAddress)
    }
    XCTAssertNil(lender)
    let copy = unsafe IOBuffer(adopting: memory, count: 3)
    XCTAssertEqual(Array(copy), [1, 2, 3])
    XCTAssertEqual(copy.capacity, 8)
  }

  func test_anEmptyBufferIsABuffer() {
    let buffer = IOBuffer(capacity: 0)
    XCTAssertEqual(buffer.count, 0)
    XCTAssertEqual(String(decoding: buffer), "")
  }

  // MARK: Collections that lie

  func test_bytesCountAsManyAsThereAre_whenACollectionCountsMore() {
    for claimed in [4, 5, 1000] {
      var buffer = IOBuffer(capacity: 1000)
      buffer.append(contentsOf: Liar([1, 2, 3], claims: claimed))
      XCTAssertEqual(Array(buffer), [1, 2, 3])
      let copy = IOBuffer(copying: Liar([1, 2, 3], claims: claimed))
      XCTAssertEqual(Array(copy), [1, 2, 3])
      XCTAssertEqual(copy.capacity, claimed)
    }
  }

  func test_bytesThatFitAreAdded_whenACollectionCountsFewerOrNone() {
    for claimed in [0, 1, -1, Int.min, Int.max] {
      var buffer = IOBuffer(capacity: 4)
      buffer.append(contentsOf: Liar([1, 2, 3], claims: claimed))
      XCTAssertEqual(Array(buffer), [1, 2, 3])
    }
  }

  func test_collectionsOfAllKindsAreCopied() {
    let bytes: [UInt8] = [1, 2, 3]
    var buffer = IOBuffer(capacity: 20)
    buffer.append(contentsOf: bytes[1...])
    buffer.append(contentsOf: bytes.reversed())
    buffer.append(contentsOf: bytes.lazy.map { $0 + 3 })
    buffer.append(contentsOf: "7".utf8)
    buffer.append(contentsOf: EmptyCollection())
    // The span ends before the array.
    unsafe buffer.append(bytes.span.bytes)
    XCTAssertEqual(Array(buffer), [2, 3, 3, 2, 1, 4, 5, 6, 0x37, 1, 2, 3])
    XCTAssertEqual(Array(IOBuffer(copying: bytes.reversed())), [3, 2, 1])
  }
}

/// A collection without memory of its own, whose count is what it is told to say.
private struct Liar: Collection {
  private let bytes: [UInt8]
  private let claimed: Int

  init(_ bytes: [UInt8], claims claimed: Int) {
    self.bytes = bytes
    self.claimed = claimed
  }

  var count: Int { claimed }
  var startIndex: Int { 0 }
  var endIndex: Int { bytes.count }
  func index(after index: Int) -> Int { index + 1 }
  subscript(index: Int) -> UInt8 { bytes[index] }
}

/// What the caller must not do: each ends the process with a sentence.
@Suite
struct IOBufferMisuseTests {
  @Test func appendingMoreThanFitsTraps() async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      var buffer = IOBuffer(capacity: 2)
      buffer.append(contentsOf: [1, 2, 3])
    }
    #expect(result.says("the bytes do not fit in the capacity"))
  }

  @Test func appendingMoreThanFitsTraps_whenACollectionCountsFewer() async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      var buffer = IOBuffer(capacity: 2)
      buffer.append(contentsOf: Liar([1, 2, 3], claims: 1))
    }
    #expect(result.says("the bytes do not fit in the capacity"))
  }

  @Test func copyingTraps_whenACollectionCountsFewer() async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      _ = IOBuffer(copying: Liar([1, 2, 3], claims: 2))
    }
    #expect(result.says("the bytes do not fit in the capacity"))
  }

  @Test func copyingTraps_whenACollectionCountsFewerThanNone() async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      _ = IOBuffer(copying: Liar([1], claims: -1))
    }
    #expect(result.says("the capacity must be 0 or more bytes"))
  }

  @Test func countsOutsideOfTheMemoryTrap() async {
    await #expect(processExitsWith: .failure) {
      var buffer = IOBuffer(capacity: 2)
      unsafe buffer.setCount(3)
    }
    await #expect(processExitsWith: .failure) {
      var buffer = IOBuffer(capacity: 2)
      unsafe buffer.setCount(-1)
    }
    await #expect(processExitsWith: .failure) {
      var buffer = IOBuffer(copying: [1])
      buffer.truncate(to: -1)
    }
    await #expect(processExitsWith: .failure) {
      _ = unsafe IOBuffer(adopting: IOBuffer(capacity: 2).relinquish(), count: 3)
    }
    await #expect(processExitsWith: .failure) {
      _ = unsafe IOBuffer(adopting: .init(start: nil, count: 0), count: 0)
    }
  }
}
