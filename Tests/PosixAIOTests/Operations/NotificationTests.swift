import Glibc
import PosixAIO
import SystemPackage
import TestSupport
import XCTest

/// The end of an operation, announced by a signal.
final class NotificationTests: OperationTestCase {
  /// SIGRTMAX, which nothing else in this process uses.
  // From the lower end: completion queues take theirs from the upper.
  private static let realTimeSignal: Int32 = 40

  private let manyBits = Int(bitPattern: 0xFEDC_BA98_7654_3210)

  // MARK: One signal, with its value

  func test_writeAnnouncesItsEndOnce_byARealTimeSignal() throws {
    try checkWrite(announcedBy: Self.realTimeSignal)
  }

  func test_writeAnnouncesItsEndOnce_byAStandardSignal() throws {
    try checkWrite(announcedBy: SIGUSR2)
  }

  func test_readAnnouncesItsEndOnce() throws {
    let recorder = try SignalRecorder(Self.realTimeSignal)
    let read = AIORead(
      try file("abcdef"), offset: 0, into: IOBuffer(capacity: 6),
      notification: .signal(number: Self.realTimeSignal, value: -1))
    try read.submit()
    XCTAssertEqual(try recorder.next(), asynchronous(Self.realTimeSignal, value: -1))
    XCTAssertEqual(try read.takeResult(), 6)
    XCTAssertEqual(try recorder.rest(), [])
  }

  func test_vectoredOperationsAnnounceTheirEndOnce() throws {
    let recorder = try SignalRecorder(Self.realTimeSignal)
    let file = try file()
    let write = AIOWritev(
      file, offset: 0, IOVector(["abc", "def"]),
      notification: .signal(number: Self.realTimeSignal, value: 1))
    try write.submit()
    XCTAssertEqual(try recorder.next(), asynchronous(Self.realTimeSignal, value: 1))
    XCTAssertEqual(try write.takeResult(), 6)
    let read = AIOReadv(
      file, offset: 0, into: IOVector(capacities: [3, 3]),
      notification: .signal(number: Self.realTimeSignal, value: 2))
    try read.submit()
    XCTAssertEqual(try recorder.next(), asynchronous(Self.realTimeSignal, value: 2))
    XCTAssertEqual(try read.takeResult(), 6)
    XCTAssertEqual(try recorder.rest(), [])
  }

  func test_syncAnnouncesItsEndOnce_byARealTimeSignal() throws {
    try checkSync(announcedBy: Self.realTimeSignal)
  }

  func test_syncAnnouncesItsEndOnce_byAStandardSignal() throws {
    try checkSync(announcedBy: SIGUSR2)
  }

  func test_syncAnnouncesItsEnd_whenTheDescriptorCannotBeRead() throws {
    let recorder = try SignalRecorder(Self.realTimeSignal)
    let file = try FileDescriptor.open(
      folder.path.appending("write-only"), .writeOnly, options: .create,
      permissions: .ownerReadWrite)
    defer { try? AIOOperation.close(file) }
    let sync = AIOFsync(file, notification: .signal(number: Self.realTimeSignal, value: 3))
    try sync.submit()
    XCTAssertEqual(try recorder.next().value, 3)
    try sync.takeResult()
  }

  func test_failureIsAnnounced_andStaysAFailure() throws {
    let recorder = try SignalRecorder(Self.realTimeSignal)
    let read = AIORead(
      closedDescriptor, offset: 0, into: IOBuffer(capacity: 1),
      notification: .signal(number: Self.realTimeSignal, value: 4))
    try read.submit()
    XCTAssertEqual(try recorder.next().value, 4)
    assertThrows(.badFileDescriptor, try read.takeResult())
  }

  func test_cancellationIsAnnounced() throws {
    let recorder = try SignalRecorder(Self.realTimeSignal)
    let saturation = try saturateHelpers()
    let write = AIOWrite(
      try file(), offset: 0, IOBuffer("abc"),
      notification: .signal(number: Self.realTimeSignal, value: 5))
    try write.submit()
    XCTAssertEqual(try write.cancel(), .canceled)
    XCTAssertEqual(try recorder.next().value, 5)
    assertThrows(.canceled, try write.takeResult())
    try saturation.release()
    XCTAssertEqual(try recorder.rest(), [])
  }

  func test_notificationMayBeChanged_whenTheResultIsTaken() throws {
    let recorder = try SignalRecorder(Self.realTimeSignal)
    let write = AIOWrite(try file(), offset: 0, IOBuffer("abc"))
    try write.submit()
    XCTAssertEqual(try write.waitForResult(), 3)
    write.notification = .signal(number: Self.realTimeSignal, value: 6)
    try write.submit()
    XCTAssertEqual(try recorder.next().value, 6)
    XCTAssertEqual(try write.takeResult(), 3)
    XCTAssertEqual(try recorder.rest(), [])
  }

  // MARK: Signals that cannot be queued

  func test_resultsStayRight_whenNoRealTimeSignalCanBeQueued() throws {
    let recorder = try SignalRecorder(Self.realTimeSignal)
    try ResourceLimit.pendingSignals.lowered(to: 0) {
      try checkAllKinds(notification: .signal(number: Self.realTimeSignal, value: 7))
    }
    XCTAssertEqual(try recorder.rest(), [])
  }

  func test_standardSignalComesWithoutItsValue_whenNoneCanBeQueued() throws {
    let recorder = try SignalRecorder(SIGUSR2)
    let write = AIOWrite(
      try file(), offset: 0, IOBuffer("abc"), notification: .signal(number: SIGUSR2, value: 8))
    try ResourceLimit.pendingSignals.lowered(to: 0) {
      try write.submit()
      XCTAssertEqual(try recorder.next().value, 0)
    }
    XCTAssertEqual(try write.takeResult(), 3)
  }

  // MARK: Signals that are none

  func test_submitIsRefused_whenTheSignalIsNone() throws {
    let file = try file()
    // 32 and 33 are glibc's own: nobody can handle them.
    for number: Int32 in [-1, 0, 32, 33, 65] {
      let notification = AIONotification.signal(number: number, value: 0)
      let write = AIOWrite(file, offset: 0, IOBuffer("abc"), notification: notification)
      assertThrows(.invalidArgument, try write.submit())
      XCTAssertFalse(write.isInProgress)
      let sync = AIOFsync(file, notification: notification)
      assertThrows(.invalidArgument, try sync.submit())
      assertThrows(
        .invalidArgument, try AIOOperation.list(.noWait, [], notification: notification))
    }
    XCTAssertEqual(try text(), "")
  }

  // MARK: -

  private func asynchronous(_ number: Int32, value: Int) -> SignalRecorder.Record {
    SignalRecorder.Record(number: number, code: Int32(SI_ASYNCIO), value: value)
  }

  private func checkWrite(announcedBy number: Int32) throws {
    let recorder = try SignalRecorder(number)
    let write = AIOWrite(
      try file("abcdef123456"), offset: 2, IOBuffer("CDEF"),
      notification: .signal(number: number, value: manyBits))
    try write.submit()
    XCTAssertEqual(try recorder.next(), asynchronous(number, value: manyBits))
    XCTAssertEqual(try write.takeResult(), 4)
    XCTAssertEqual(try text(), "abCDEF123456")
    XCTAssertEqual(try recorder.rest(), [])
  }

  private func checkSync(announcedBy number: Int32) throws {
    let recorder = try SignalRecorder(number)
    let sync = AIOFsync(
      try file("abc"), notification: .signal(number: number, value: manyBits))
    try sync.submit()
    XCTAssertEqual(try recorder.next(), asynchronous(number, value: manyBits))
    XCTAssertNil(sync.error())
    try sync.takeResult()
    XCTAssertEqual(try recorder.rest(), [])
  }

  private func checkAllKinds(notification: AIONotification) throws {
    let file = try file()
    let write = AIOWrite(file, offset: 0, IOBuffer("abc"), notification: notification)
    try write.submit()
    XCTAssertEqual(try write.waitForResult(), 3)
    let writev = AIOWritev(file, offset: 3, IOVector(["d", "ef"]), notification: notification)
    try writev.submit()
    XCTAssertEqual(try writev.waitForResult(), 3)
    let sync = AIOFsync(file, notification: notification)
    try sync.submit()
    try sync.waitForResult()
    let read = AIORead(file, offset: 0, into: IOBuffer(capacity: 6), notification: notification)
    try read.submit()
    XCTAssertEqual(try read.waitForResult(), 6)
    XCTAssertEqual(read.takeText(), "abcdef")
    let readv = AIOReadv(
      file, offset: 0, into: IOVector(capacities: [1, 5]), notification: notification)
    try readv.submit()
    XCTAssertEqual(try readv.waitForResult(), 6)
  }
}
