import PosixAIO
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

  func test_anEmptyBufferIsABuffer() {
    let buffer = IOBuffer(capacity: 0)
    XCTAssertEqual(buffer.count, 0)
    XCTAssertEqual(String(decoding: buffer), "")
  }
}
