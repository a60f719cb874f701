import Glibc
import SystemPackage
import XCTest

@testable import PosixAIO

final class AIOReadvTests: OperationTestCase {
  func test_readShowsWhatItWasMadeOf() throws {
    let file = try file()
    let signal = AIONotification.signal(number: SIGUSR2, value: 99)
    let read = AIOReadv(
      file, offset: 2, into: IOVector(capacities: [4, 8]), priority: 42, notification: signal)
    XCTAssertEqual(read.fileDescriptor, file)
    XCTAssertEqual(read.segmentCount, 2)
    XCTAssertEqual(read.offset, 2)
    XCTAssertEqual(read.priority, 42)
    XCTAssertEqual(read.notification, signal)
    XCTAssertFalse(read.isInProgress)
  }

  func test_readFillsItsBuffersInOrder() throws {
    let read = AIOReadv(
      try file("abcdef123456"), offset: 2, into: IOVector(capacities: [4, 2]))
    try read.submit()
    try read.waitUntilFinished()
    XCTAssertNil(read.error())
    XCTAssertEqual(try read.takeResult(), 6)
    XCTAssertEqual(read.takeTexts(), ["cdef", "12"])
  }

  func test_readPassesOverEmptyBuffers() throws {
    let read = AIOReadv(
      try file("abcdef"), offset: 0, into: IOVector(capacities: [0, 2, 0, 0, 3, 0]))
    try read.submit()
    XCTAssertEqual(try read.waitForResult(), 5)
    XCTAssertEqual(read.takeTexts(), ["", "ab", "", "", "cde", ""])
  }

  func test_readFillsTheFirstBuffersAndSetsCounts_atTheEndOfTheFile() throws {
    let read = AIOReadv(try file("abcdef"), offset: 0, into: IOVector(capacities: [4, 4, 4]))
    try read.submit()
    XCTAssertEqual(try read.waitForResult(), 6)
    XCTAssertEqual(read.takeTexts(), ["abcd", "ef", ""])
  }

  func test_readOfNoBuffersIsOfNoBytes() throws {
    let read = AIOReadv(try file("abcdef"), offset: 0, into: IOVector())
    XCTAssertEqual(read.segmentCount, 0)
    try read.submit()
    XCTAssertEqual(try read.waitForResult(), 0)
    XCTAssertEqual(read.takeTexts(), [])
  }

  func test_readUsesTheBufferItself_whenThereIsOne() throws {
    var vector = IOVector()
    let buffer = IOBuffer(capacity: 6)
    let address = unsafe buffer.unsafeMemory.baseAddress
    vector.append(buffer)
    let read = AIOReadv(try file("abcdef"), offset: 0, into: vector)
    try read.submit()
    XCTAssertTrue(unsafe read.block.memory?.baseAddress == address)
    XCTAssertEqual(try read.waitForResult(), 6)
    XCTAssertTrue(read.block.buffer == nil, "memory beside the buffer")
    XCTAssertEqual(read.takeTexts(), ["abcdef"])
  }

  func test_readUsesTheCallersPieces_whenTheyAreSideBySide() throws {
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 6, alignment: 1)
    defer { unsafe memory.deallocate() }
    let pieces = unsafe [memory[0..<2], memory[2..<2], memory[2..<6]].map {
      unsafe UnsafeMutableRawBufferPointer(rebasing: $0)
    }
    let read = unsafe AIOReadv(try file("abcdef"), offset: 0, unsafeInto: pieces)
    try read.submit()
    XCTAssertTrue(unsafe read.block.memory?.baseAddress == memory.baseAddress)
    XCTAssertEqual(try read.waitForResult(), 6)
    XCTAssertTrue(read.block.buffer == nil)
    XCTAssertEqual(unsafe Array(memory), Array("abcdef".utf8))
  }

  func test_readFillsTheCallersPieces_whenTheyAreInAnyOrder() throws {
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 8, alignment: 1)
    defer { unsafe memory.deallocate() }
    unsafe memory.copyBytes(from: "........".utf8)
    let pieces = unsafe [memory[5..<8], memory[0..<2]].map {
      unsafe UnsafeMutableRawBufferPointer(rebasing: $0)
    }
    let read = unsafe AIOReadv(try file("abcdef"), offset: 0, unsafeInto: pieces)
    try read.submit()
    XCTAssertEqual(try read.waitForResult(), 5)
    XCTAssertEqual(unsafe String(decoding: memory, as: UTF8.self), "de...abc")
    XCTAssertNil(read.takeTexts())
  }

  func test_resultIsTheError_andTheBuffersStayEmpty_whenTheOffsetIsNegative() throws {
    let read = AIOReadv(try file("abcdef"), offset: -1, into: IOVector(capacities: [2, 2]))
    try read.submit()
    assertThrows(.invalidArgument, try read.waitForResult())
    XCTAssertEqual(read.takeTexts(), ["", ""])
  }

  func test_readIsCanceled_whileItWaits() throws {
    let saturation = try saturateHelpers()
    let read = AIOReadv(try file("abcdef"), offset: 0, into: IOVector(capacities: [2, 2]))
    try read.submit()
    XCTAssertEqual(try read.cancel(), .canceled)
    assertThrows(.canceled, try read.takeResult())
    try saturation.release()
    XCTAssertEqual(read.takeTexts(), ["", ""])
  }

  func test_readMayBeSubmittedAgain_withTheSameBuffers() throws {
    let read = AIOReadv(try file("abcdef"), offset: 0, into: IOVector(capacities: [2, 2]))
    try read.submit()
    XCTAssertEqual(try read.waitForResult(), 4)
    read.offset = 3
    try read.submit()
    XCTAssertEqual(try read.waitForResult(), 3)
    XCTAssertEqual(read.takeTexts(), ["de", "f"])
    assertThrows(.badAddress, try read.submit())
  }
}
