import Glibc
import SystemPackage
import XCTest

/// What glibc says of results. Straight on libc.
final class ResultFactsTests: OperationTestCase {
  func test_aioReturnDoesNotSetErrno_andGivesItsValueAgain() throws {
    let failing = RawOperation(closedDescriptor, byteCount: 1)
    try failing.read()
    try failing.waitUntilFinished()
    XCTAssertEqual(failing.error, EBADF)
    errno = EDOM
    XCTAssertEqual(failing.result, -1)
    XCTAssertEqual(errno, EDOM)

    let write = RawOperation(try file(), [1, 2, 3])
    try write.write()
    try write.waitUntilFinished()
    XCTAssertEqual(write.result, 3)
    XCTAssertEqual(write.result, 3)
  }

  func test_badDescriptorsAndOffsetsFailLater_butASyncsDescriptorAtOnce() throws {
    let read = RawOperation(try file(), byteCount: 1)
    unsafe read.control.pointee.aio_offset = -1
    try read.read()
    try read.waitUntilFinished()
    XCTAssertEqual(read.error, EINVAL)
    assertThrows(.badFileDescriptor, try RawOperation(closedDescriptor).sync())
  }

  func test_operationSubmittedTwiceIsTakenTwice_andSaysTooEarlyThatItIsDone() throws {
    let pipe = try SmallPipe()
    let read = RawOperation(pipe.readEnd, byteCount: 1)
    try read.read()
    try read.read()
    let last = RawOperation(pipe.readEnd)
    try last.read()
    try pipe.fill("a".utf8)
    try read.waitUntilFinished()
    XCTAssertEqual(read.error, 0)
    XCTAssertEqual(last.error, EINPROGRESS, "the second one runs before it")
    try pipe.fill("b".utf8)
    try last.waitUntilFinished()
    XCTAssertEqual(read.bytes, Array("b".utf8), "the second one wrote into the memory")
  }

  func test_operationThatWasNeverSubmittedCountsAsDone() throws {
    let operation = RawOperation(try file(), byteCount: 1)
    XCTAssertEqual(operation.error, 0)
    XCTAssertEqual(operation.result, 0)
    XCTAssertEqual(operation.cancel(), Int(AIO_ALLDONE))
    var controls: [UnsafePointer<aiocb>?] = unsafe [UnsafePointer(operation.control)]
    XCTAssertEqual(unsafe aio_suspend(&controls, 1, nil), 0)
  }
}
