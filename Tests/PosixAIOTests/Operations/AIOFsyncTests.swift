import Glibc
import PosixAIO
import SystemPackage
import XCTest

final class AIOFsyncTests: OperationTestCase {
  func test_syncShowsWhatItWasMadeOf() throws {
    let file = try file()
    let signal = AIONotification.signal(number: SIGUSR2, value: 99)
    let sync = AIOFsync(file, mode: .dataSync, notification: signal)
    XCTAssertEqual(sync.fileDescriptor, file)
    XCTAssertEqual(sync.mode, .dataSync)
    XCTAssertEqual(sync.priority, 0)
    XCTAssertEqual(sync.notification, signal)
    XCTAssertFalse(sync.isInProgress)
    XCTAssertEqual(AIOFsync(file).mode, .sync)
  }

  func test_syncSucceeds_inEitherMode() throws {
    let file = try file("abcdef")
    for mode in [AIOFsync.Mode.sync, .dataSync] {
      let sync = AIOFsync(file, mode: mode)
      try sync.submit()
      XCTAssertTrue(sync.isInProgress)
      try sync.waitUntilFinished()
      XCTAssertNil(sync.error())
      try sync.takeResult()
      XCTAssertFalse(sync.isInProgress)
    }
  }

  func test_submitIsRefused_whenTheDescriptorIsNotOpen() {
    let sync = AIOFsync(closedDescriptor)
    assertThrows(.badFileDescriptor, try sync.submit())
    XCTAssertFalse(sync.isInProgress)
    assertThrows(.invalidArgument, try sync.takeResult())
  }

  func test_resultIsTheError_whenTheDescriptorCannotBeSynced() throws {
    let pipe = try SmallPipe()
    let sync = AIOFsync(pipe.writeEnd)
    try sync.submit()
    assertThrows(.invalidArgument, try sync.waitForResult())
  }

  func test_syncIsCanceled_whileItWaits() throws {
    let saturation = try saturateHelpers()
    let sync = AIOFsync(try file("abcdef"))
    try sync.submit()
    XCTAssertEqual(sync.error(), .nowInProgress)
    XCTAssertEqual(try sync.cancel(), .canceled)
    XCTAssertEqual(sync.error(), .canceled)
    assertThrows(.canceled, try sync.takeResult())
    try saturation.release()
  }

  func test_syncWithASignalIsNotCanceledAlone_andBothAreWithCancelAll() throws {
    let recorder = try SignalRecorder(SIGUSR2)
    let saturation = try saturateHelpers()
    let file = try file("abcdef")
    let sync = AIOFsync(file, notification: .signal(number: SIGUSR2, value: 5))
    try sync.submit()
    // Its signal waits behind it, and glibc would lose that.
    XCTAssertEqual(try sync.cancel(), .notCanceled)
    XCTAssertEqual(sync.error(), .nowInProgress)
    XCTAssertEqual(try AIOOperation.cancelAll(on: file), .canceled)
    assertThrows(.canceled, try sync.takeResult())
    XCTAssertEqual(try recorder.next().value, 5)
    try saturation.release()
    XCTAssertEqual(try recorder.rest(), [])
  }

  func test_syncWithASignalFinishes_afterACancellationThatWasRefused() throws {
    let recorder = try SignalRecorder(SIGUSR2)
    let saturation = try saturateHelpers()
    let sync = AIOFsync(
      try file("abcdef"), notification: .signal(number: SIGUSR2, value: 5))
    try sync.submit()
    XCTAssertEqual(try sync.cancel(), .notCanceled)
    try saturation.release()
    XCTAssertEqual(try recorder.next().value, 5)
    try sync.takeResult()
  }
}
