import Foundation
import PosixAIO
import TestSupport
import Testing
import XCTest

/// Bytes and integers that are written in place, and conversions: as a client would write them,
/// without an unsafe keyword.
final class IOBufferFillTests: XCTestCase {
  private struct Interruption: Error {}

  func test_bytesBecomeValid_whenAClosureAppendsThemInPlace() {
    var buffer = IOBuffer(capacity: 6)
    buffer.append(contentsOf: [1])
    let room = buffer.append { output in
      let room = output.freeCapacity
      output.append(2)
      output.append(3)
      return room
    }
    XCTAssertEqual(room, 5)
    XCTAssertEqual(Array(buffer), [1, 2, 3])
    XCTAssertEqual(buffer.freeCapacity, 3)
    buffer.append { output in
      while !output.isFull { output.append(9) }
    }
    XCTAssertEqual(Array(buffer), [1, 2, 3, 9, 9, 9])
    XCTAssertEqual(buffer.append { $0.freeCapacity }, 0)
  }

  func test_bytesBeforeTheErrorBecomeValid_whenTheClosureThrows() {
    var buffer = IOBuffer(capacity: 6)
    XCTAssertThrowsError(
      try buffer.append { output in
        output.append(7)
        throw Interruption()
      })
    XCTAssertEqual(Array(buffer), [7])
  }

  func test_repeatedBytesAndSpansAreAppended() {
    var buffer = IOBuffer(capacity: 6)
    buffer.append(repeating: 0xFF, count: 2)
    buffer.append(repeating: 1, count: 0)
    let bytes: [UInt8] = [1, 2, 3]
    buffer.append(bytes.span.extracting(droppingFirst: 1))
    XCTAssertEqual(Array(buffer), [0xFF, 0xFF, 2, 3])
  }

  func test_integersHaveTheirByteOrder_atAnyAlignment() {
    var buffer = IOBuffer(capacity: 32)
    buffer.appendInteger(1, endianness: .big, as: UInt8.self)
    buffer.appendInteger(0x0102_0304, endianness: .big, as: UInt32.self)
    buffer.appendInteger(UInt16(0x0506), endianness: .little)
    buffer.appendInteger(Int64(-2), endianness: .little)
    XCTAssertEqual(
      Array(buffer), [1, 1, 2, 3, 4, 6, 5, 0xFE] + [UInt8](repeating: 0xFF, count: 7))
    XCTAssertEqual(buffer.integer(at: 0, endianness: .big, as: UInt8.self), 1)
    XCTAssertEqual(buffer.integer(at: 1, endianness: .big, as: UInt32.self), 0x0102_0304)
    XCTAssertEqual(buffer.integer(at: 1, endianness: .little, as: UInt32.self), 0x0403_0201)
    XCTAssertEqual(buffer.integer(at: 5, endianness: .little, as: UInt16.self), 0x0506)
    XCTAssertEqual(buffer.integer(at: 7, endianness: .little, as: Int64.self), -2)
  }

  func test_integerIsNil_whenNotAllOfItsBytesAreValid() {
    let buffer = IOBuffer(copying: [1, 2, 3])
    XCTAssertEqual(buffer.integer(at: 1, endianness: .big, as: UInt16.self), 0x0203)
    XCTAssertNil(buffer.integer(at: 2, endianness: .big, as: UInt16.self))
    XCTAssertNil(buffer.integer(at: 0, endianness: .big, as: UInt32.self))
    XCTAssertNil(buffer.integer(at: .max, endianness: .big, as: UInt8.self))
  }

  func test_lengthIsSetInPlace_afterTheBytesThatItCounts() {
    var buffer = IOBuffer(capacity: 10)
    buffer.appendInteger(0, endianness: .big, as: UInt16.self)
    buffer.append(contentsOf: "abc".utf8)
    buffer.setInteger(UInt16(buffer.count - 2), at: 0, endianness: .big)
    XCTAssertEqual(Array(buffer), [0, 3] + "abc".utf8)
  }

  func test_bytesAreConverted_toAndFromCollections() {
    let buffer = IOBuffer(copying: Data([1, 2, 3]))
    XCTAssertEqual(Array(buffer), [1, 2, 3])
    XCTAssertEqual(Data(buffer), Data([1, 2, 3]))
    XCTAssertEqual(ContiguousArray(buffer), [1, 2, 3])
    XCTAssertEqual(Data(IOBuffer(capacity: 5)), Data())
  }
}

/// Misuse: each ends the process with a sentence.
@Suite
struct IOBufferFillMisuseTests {
  @Test func appendingTraps_whenAnIntegerDoesNotFit() async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      var buffer = IOBuffer(capacity: 3)
      buffer.appendInteger(1, endianness: .big, as: UInt32.self)
    }
    #expect(result.says("the integer does not fit in the capacity"))
  }

  @Test func settingTraps_whenAnIntegerIsNotWithinTheValidBytes() async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      var buffer = IOBuffer(capacity: 8)
      buffer.append(repeating: 0, count: 3)
      buffer.setInteger(1, at: 0, endianness: .big, as: UInt32.self)
    }
    #expect(result.says("the integer must be within the valid bytes"))
  }

  @Test func readingAnIntegerTraps_whenTheOffsetIsNegative() async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      _ = IOBuffer(copying: [1, 2]).integer(at: -1, endianness: .big, as: UInt8.self)
    }
    #expect(result.says("the offset must be 0 or more"))
  }

  @Test func repeatingTraps_whenTheBytesDoNotFit() async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      var buffer = IOBuffer(capacity: 3)
      buffer.append(repeating: 0, count: 4)
    }
    #expect(result.says("the bytes do not fit in the capacity"))
  }
}
