import Glibc
import PosixAIO
import SystemPackage
import TestSupport
import XCTest

final class AIOReadTests: OperationTestCase {
  func test_readShowsWhatItWasMadeOf() throws {
    let file = try file()
    let signal = AIONotification.signal(number: SIGUSR2, value: 99)
    let read = AIORead(
      file, offset: 2, into: IOBuffer(capacity: 4), priority: 42, notification: signal)
    XCTAssertEqual(read.fileDescriptor, file)
    XCTAssertEqual(read.byteCount, 4)
    XCTAssertEqual(read.offset, 2)
    XCTAssertEqual(read.priority, 42)
    XCTAssertEqual(read.notification, signal)
    XCTAssertFalse(read.isInProgress)
  }

  func test_readFillsItsBuffer() throws {
    let read = AIORead(try file("abcdef123456"), offset: 2, into: IOBuffer(capacity: 4))
    try read.submit()
    try read.waitUntilFinished()
    XCTAssertNil(read.error())
    XCTAssertEqual(try read.takeResult(), 4)
    XCTAssertEqual(read.takeText(), "cdef")
  }

  func test_readFillsTheCallersMemory() throws {
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 4, alignment: 1)
    defer { unsafe memory.deallocate() }
    let read = unsafe AIORead(try file("abcdef123456"), offset: 2, unsafeInto: memory)
    try read.submit()
    XCTAssertEqual(try read.waitForResult(), 4)
    XCTAssertEqual(unsafe Array(memory), Array("cdef".utf8))
    XCTAssertNil(read.takeText())
  }

  func test_readStopsAtByteCount() throws {
    let read = AIORead(
      try file("abcdef123456"), offset: 0, into: IOBuffer(capacity: 100), byteCount: 3)
    try read.submit()
    XCTAssertEqual(try read.waitForResult(), 3)
    XCTAssertEqual(read.takeText(), "abc")
  }

  func test_readIsShort_atTheEndOfTheFile() throws {
    let file = try file("abcdef")
    for (offset, count) in [(Int64(4), 2), (6, 0), (100, 0)] {
      let read = AIORead(file, offset: offset, into: IOBuffer(capacity: 10))
      try read.submit()
      XCTAssertEqual(try read.waitForResult(), count)
      XCTAssertEqual(read.takeText()?.count, count)
    }
  }

  func test_resultIsTheError_whenTheOffsetIsNegative() throws {
    let read = AIORead(try file("abcdef"), offset: -1, into: IOBuffer(capacity: 4))
    try read.submit()
    try read.waitUntilFinished()
    XCTAssertEqual(read.error(), .invalidArgument)
    assertThrows(.invalidArgument, try read.takeResult())
    XCTAssertFalse(read.isInProgress)
    XCTAssertEqual(read.takeText(), "")
  }

  func test_resultIsTheError_whenTheDescriptorIsNotOpen() throws {
    let read = AIORead(closedDescriptor, offset: 0, into: IOBuffer(capacity: 4))
    try read.submit()
    assertThrows(.badFileDescriptor, try read.waitForResult())
  }

  func test_resultIsTheError_whenTheDescriptorIsOpenForWritingOnly() throws {
    let path = folder.path.appending("write-only")
    let file = try FileDescriptor.open(
      path, .writeOnly, options: .create, permissions: .ownerReadWrite)
    defer { try? file.close() }
    let read = AIORead(file, offset: 0, into: IOBuffer(capacity: 4))
    try read.submit()
    assertThrows(.badFileDescriptor, try read.waitForResult())
  }

  func test_readIsCanceled_whileItWaits() throws {
    let saturation = try saturateHelpers()
    let read = AIORead(try file("abcdef"), offset: 0, into: IOBuffer(capacity: 4))
    try read.submit()
    XCTAssertEqual(try read.cancel(), .canceled)
    XCTAssertEqual(read.error(), .canceled)
    assertThrows(.canceled, try read.takeResult())
    try saturation.release()
    XCTAssertEqual(read.takeText(), "")
  }
}
