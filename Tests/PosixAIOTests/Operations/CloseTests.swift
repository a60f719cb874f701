import Glibc
import PosixAIO
import SystemPackage
import TestSupport
import XCTest

final class CloseTests: OperationTestCase {
  func test_closeIsRefused_whileAnOperationIsQueued_andDoneAfter() throws {
    let saturation = try saturateHelpers()
    let file = try folder.open("file")
    let write = AIOWrite(file, offset: 0, IOBuffer("abc"))
    try write.submit()
    assertThrows(.resourceBusy, try AIOOperation.close(file))
    XCTAssertTrue(file.isOpen)
    try saturation.release()
    try write.waitUntilFinished()
    // Finished is enough; the result may be taken later.
    try AIOOperation.close(file)
    XCTAssertFalse(file.isOpen)
    XCTAssertEqual(try write.takeResult(), 3)
  }

  func test_closeIsRefused_whileADroppedOperationRuns() throws {
    let pipe = try SmallPipe()
    let copy = try pipe.readEnd.duplicate()
    try AIORead(copy, offset: 0, into: IOBuffer(capacity: 1)).submit()
    assertThrows(.resourceBusy, try AIOOperation.close(copy))
    let behind = AIORead(copy, offset: 0, into: IOBuffer(capacity: 1))
    try behind.submit()
    try pipe.fill("xy".utf8)
    XCTAssertEqual(try behind.waitForResult(), 1)
    try AIOOperation.close(copy)
  }

  func test_closeIsRefused_whileTheSignalOfASyncIsQueued() throws {
    let recorder = try SignalRecorder(SIGUSR2)
    let saturation = try saturateHelpers()
    let file = try folder.open("file")
    let sync = AIOFsync(file, notification: .signal(number: SIGUSR2, value: 1))
    try sync.submit()
    try saturation.add()
    try saturation.releaseOne()
    try saturation.waitUntilAddedOneRuns()
    try sync.waitForResult()
    assertThrows(.resourceBusy, try AIOOperation.close(file))
    try saturation.release()
    XCTAssertEqual(try recorder.next().value, 1)
    try AIOOperation.close(file)
  }

  func test_closeDoesNotMindOtherDescriptors() throws {
    let saturation = try saturateHelpers()
    let write = AIOWrite(try file(), offset: 0, IOBuffer("abc"))
    try write.submit()
    try AIOOperation.close(try folder.open("other"))
    try saturation.release()
    XCTAssertEqual(try write.waitForResult(), 3)
  }

  func test_closeThrowsWhatCloseSays() {
    assertThrows(.badFileDescriptor, try AIOOperation.close(closedDescriptor))
  }
}

extension FileDescriptor {
  fileprivate var isOpen: Bool { fcntl(rawValue, F_GETFD) != -1 }
}
