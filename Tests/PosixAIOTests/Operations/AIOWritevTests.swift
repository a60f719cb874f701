import Glibc
import SystemPackage
import TestSupport
import XCTest

@testable import PosixAIO

final class AIOWritevTests: OperationTestCase {
  func test_writeShowsWhatItWasMadeOf() throws {
    let file = try file()
    let signal = AIONotification.signal(number: SIGUSR2, value: 99)
    let write = AIOWritev(
      file, offset: 2, IOVector(["abcd", "efghijkl"]), priority: 42, notification: signal)
    XCTAssertEqual(write.fileDescriptor, file)
    XCTAssertEqual(write.segmentCount, 2)
    XCTAssertEqual(write.offset, 2)
    XCTAssertEqual(write.priority, 42)
    XCTAssertEqual(write.notification, signal)
    XCTAssertFalse(write.isInProgress)
  }

  func test_writePutsItsBuffersBehindEachOther() throws {
    let write = AIOWritev(try file("abcdef123456"), offset: 1, IOVector(["BC", "DEF"]))
    try write.submit()
    try write.waitUntilFinished()
    XCTAssertNil(write.error())
    XCTAssertEqual(try write.takeResult(), 5)
    XCTAssertEqual(try text(), "aBCDEF123456")
    XCTAssertEqual(write.takeTexts(), ["BC", "DEF"])
  }

  func test_writePutsTheValidBytesOnly_andPassesOverEmptyBuffers() throws {
    var vector = IOVector(["", "ab", ""])
    var buffer = IOBuffer(capacity: 100)
    buffer.append(contentsOf: "cd".utf8)
    vector.append(buffer)
    vector.append(IOBuffer("ef"))
    let write = AIOWritev(try file(), offset: 0, vector)
    try write.submit()
    XCTAssertEqual(try write.waitForResult(), 6)
    XCTAssertEqual(try text(), "abcdef")
  }

  func test_writeOfNoBuffersIsOfNoBytes() throws {
    let write = AIOWritev(try file("abc"), offset: 0, IOVector())
    try write.submit()
    XCTAssertEqual(try write.waitForResult(), 0)
    XCTAssertEqual(try text(), "abc")
  }

  func test_writeUsesTheBufferItself_whenThereIsOne() throws {
    var vector = IOVector()
    let buffer = IOBuffer("abcdef")
    let address = unsafe buffer.unsafeMemory.baseAddress
    vector.append(buffer)
    let write = AIOWritev(try file(), offset: 0, vector)
    try write.submit()
    XCTAssertTrue(unsafe write.block.memory?.baseAddress == address)
    XCTAssertEqual(try write.waitForResult(), 6)
    XCTAssertEqual(try text(), "abcdef")
  }

  func test_writeUsesTheCallersPieces_whenTheyAreSideBySide() throws {
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 6, alignment: 1)
    defer { unsafe memory.deallocate() }
    unsafe memory.copyBytes(from: "abcdef".utf8)
    let pieces = unsafe [memory[0..<2], memory[2..<6]].map {
      unsafe UnsafeRawBufferPointer(rebasing: $0)
    }
    let write = unsafe AIOWritev(try file(), offset: 0, unsafeFrom: pieces)
    try write.submit()
    XCTAssertTrue(unsafe write.block.memory?.baseAddress == memory.baseAddress)
    XCTAssertEqual(try write.waitForResult(), 6)
    XCTAssertEqual(try text(), "abcdef")
  }

  func test_writeIsShort_atTheLimitOfTheFileSize() throws {
    signal(SIGXFSZ, SIG_IGN)
    defer { signal(SIGXFSZ, SIG_DFL) }
    let write = AIOWritev(try file(), offset: 0, IOVector(["abc", "def", "ghi"]))
    try ResourceLimit.fileSize.lowered(to: 4) {
      try write.submit()
      XCTAssertEqual(try write.waitForResult(), 4)
    }
    XCTAssertEqual(try text(), "abcd")
  }

  func test_writeGoesToTheEnd_whenTheFileIsOpenForAppending() throws {
    try folder.write("abc".utf8, to: "file")
    let write = AIOWritev(try open(options: .append), offset: 0, IOVector(["d", "ef"]))
    try write.submit()
    XCTAssertEqual(try write.waitForResult(), 3)
    XCTAssertEqual(try text(), "abcdef")
  }

  func test_resultIsTheError_whenTheDescriptorIsNotOpen() throws {
    let write = AIOWritev(closedDescriptor, offset: 0, IOVector(["BC", "DEF"]))
    try write.submit()
    assertThrows(.badFileDescriptor, try write.waitForResult())
  }

  func test_writeIsCanceled_whileItWaits() throws {
    let saturation = try saturateHelpers()
    let write = AIOWritev(try file("abcdef"), offset: 0, IOVector(["BC", "DEF"]))
    try write.submit()
    XCTAssertEqual(try write.cancel(), .canceled)
    assertThrows(.canceled, try write.takeResult())
    try saturation.release()
    XCTAssertEqual(try text(), "abcdef")
  }

  func test_writeTakesItsBytesAnew_whenItIsSubmittedAgain() throws {
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 4, alignment: 1)
    defer { unsafe memory.deallocate() }
    unsafe memory.copyBytes(from: "abcd".utf8)
    let pieces = unsafe [memory[2..<4], memory[0..<2]].map {
      unsafe UnsafeRawBufferPointer(rebasing: $0)
    }
    let write = unsafe AIOWritev(try file(), offset: 0, unsafeFrom: pieces)
    try write.submit()
    XCTAssertEqual(try write.waitForResult(), 4)
    unsafe memory.copyBytes(from: "efgh".utf8)
    write.offset = 4
    try write.submit()
    XCTAssertEqual(try write.waitForResult(), 4)
    XCTAssertEqual(try text(), "cdabghef")
  }
}
