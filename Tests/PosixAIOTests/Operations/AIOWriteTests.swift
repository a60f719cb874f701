import Glibc
import PosixAIO
import SystemPackage
import TestSupport
import XCTest

final class AIOWriteTests: OperationTestCase {
  func test_writeShowsWhatItWasMadeOf() throws {
    let file = try file()
    let signal = AIONotification.signal(number: SIGUSR2, value: 99)
    let write = AIOWrite(file, offset: 2, IOBuffer("abcd"), priority: 42, notification: signal)
    XCTAssertEqual(write.fileDescriptor, file)
    XCTAssertEqual(write.byteCount, 4)
    XCTAssertEqual(write.offset, 2)
    XCTAssertEqual(write.priority, 42)
    XCTAssertEqual(write.notification, signal)
    XCTAssertFalse(write.isInProgress)
  }

  func test_writePutsItsBufferIntoTheFile() throws {
    let write = AIOWrite(try file("abcdef123456"), offset: 2, IOBuffer("CDEF"))
    try write.submit()
    try write.waitUntilFinished()
    XCTAssertNil(write.error())
    XCTAssertEqual(try write.takeResult(), 4)
    XCTAssertEqual(try text(), "abCDEF123456")
    XCTAssertEqual(write.takeText(), "CDEF")
  }

  func test_writePutsTheCallersMemoryIntoTheFile() throws {
    let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: 4, alignment: 1)
    defer { unsafe bytes.deallocate() }
    unsafe bytes.copyBytes(from: "CDEF".utf8)
    let write = unsafe AIOWrite(
      try file("abcdef123456"), offset: 2, unsafeFrom: UnsafeRawBufferPointer(bytes))
    try write.submit()
    XCTAssertEqual(try write.waitForResult(), 4)
    XCTAssertEqual(try text(), "abCDEF123456")
  }

  func test_writeGoesToTheEnd_whenTheFileIsOpenForAppending() throws {
    try folder.write("abc".utf8, to: "file")
    let file = try open(options: .append)
    for text in ["def", "ghi"] {
      let write = AIOWrite(file, offset: 0, IOBuffer(text))
      try write.submit()
      XCTAssertEqual(try write.waitForResult(), 3)
    }
    XCTAssertEqual(try text(), "abcdefghi")
  }

  func test_writeIsShort_atTheLimitOfTheFileSize() throws {
    signal(SIGXFSZ, SIG_IGN)
    defer { signal(SIGXFSZ, SIG_DFL) }
    let file = try file()
    let write = AIOWrite(file, offset: 0, IOBuffer("abcdef"))
    let next = AIOWrite(file, offset: 4, IOBuffer("ef"))
    try ResourceLimit.fileSize.lowered(to: 4) {
      try write.submit()
      XCTAssertEqual(try write.waitForResult(), 4)
      try next.submit()
      assertThrows(.fileTooLarge, try next.waitForResult())
    }
    XCTAssertEqual(try text(), "abcd")
  }

  func test_resultIsTheError_whenTheDescriptorIsNotOpen() throws {
    let write = AIOWrite(closedDescriptor, offset: 0, IOBuffer("CDEF"))
    try write.submit()
    assertThrows(.badFileDescriptor, try write.waitForResult())
    XCTAssertFalse(write.isInProgress)
  }

  func test_resultIsTheError_whenTheOffsetIsNegative() throws {
    let write = AIOWrite(try file(), offset: -1, IOBuffer("CDEF"))
    try write.submit()
    assertThrows(.invalidArgument, try write.waitForResult())
  }

  func test_writeIsCanceled_whileItWaits() throws {
    let saturation = try saturateHelpers()
    let write = AIOWrite(try file("abcdef"), offset: 0, IOBuffer("CDEF"))
    try write.submit()
    XCTAssertEqual(try write.cancel(), .canceled)
    XCTAssertEqual(write.error(), .canceled)
    assertThrows(.canceled, try write.takeResult())
    try saturation.release()
    XCTAssertEqual(try text(), "abcdef")
  }

  func test_writeIsNotCanceled_whenItRuns() throws {
    let pipe = try SmallPipe()
    let bytes = Pattern.block(1, byteCount: SmallPipe.blockingByteCount)
    let write = AIOWrite(pipe.writeEnd, offset: 0, IOBuffer(copying: bytes))
    try write.submit()
    try pipe.waitUntilReadable()
    XCTAssertEqual(try write.cancel(), .notCanceled)
    XCTAssertEqual(write.error(), .nowInProgress)
    XCTAssertEqual(try pipe.drain(bytes.count), bytes)
    XCTAssertEqual(try write.waitForResult(), bytes.count)
  }
}
