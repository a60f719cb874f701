import Glibc
import SystemPackage
import TestSupport
import XCTest

/// What glibc does with signals. Straight on libc.
final class NotificationFactsTests: OperationTestCase {
  // From the lower end: completion queues take theirs from the upper.
  private static let signal: Int32 = 40

  /// Why no operation of this package has a signal of its own.
  func test_resultIsOverwritten_whenTheSignalOfTheOperationCannotBeQueued() throws {
    let write = RawOperation(try file(), Array("abc".utf8))
    unsafe write.control.pointee.aio_sigevent = .signal(Self.signal)
    try ResourceLimit.pendingSignals.lowered(to: 0) {
      try write.write()
      try write.waitUntilFinished()
    }
    XCTAssertEqual(write.error, EAGAIN)
    XCTAssertEqual(write.result, -1)
    XCTAssertEqual(try text(), "abc", "although it was written")
  }

  /// Why their signals are those of lists.
  func test_resultStays_whenTheSignalOfTheListCannotBeQueued() throws {
    let write = RawOperation(try file(), Array("abc".utf8))
    try ResourceLimit.pendingSignals.lowered(to: 0) {
      try unsafe write.list(Int(LIO_WRITE), event: .signal(Self.signal))
      try write.waitUntilFinished()
    }
    XCTAssertEqual(write.error, 0)
    XCTAssertEqual(write.result, 3)
    XCTAssertEqual(try text(), "abc")
  }

  func test_signalOfAListIsSentOnce() throws {
    let recorder = try SignalRecorder(Self.signal)
    let write = RawOperation(try file(), Array("abc".utf8))
    try unsafe write.list(Int(LIO_WRITE), event: .signal(Self.signal))
    try write.waitUntilFinished()
    let record = try recorder.next()
    XCTAssertEqual(record.code, Int32(SI_ASYNCIO))
    XCTAssertEqual(record.value, 1234)
    XCTAssertEqual(try recorder.rest(), [])
  }

  func test_emptyListSendsItsSignalAtOnce() throws {
    let recorder = try SignalRecorder(Self.signal)
    var event = unsafe sigevent.signal(Self.signal)
    var controls: [UnsafeMutablePointer<aiocb>?] = unsafe [nil]
    XCTAssertEqual(unsafe lio_listio(Int32(LIO_NOWAIT), &controls, 1, &event), 0)
    XCTAssertEqual(unsafe lio_listio(Int32(LIO_NOWAIT), &controls, 0, &event), 0)
    for _ in 0..<2 { XCTAssertEqual(try recorder.next().value, 1234) }
    XCTAssertEqual(try recorder.rest(), [])
  }

  func test_emptyListSendsNoSignal_inWaitMode() throws {
    let recorder = try SignalRecorder(Self.signal)
    var event = unsafe sigevent.signal(Self.signal)
    var controls: [UnsafeMutablePointer<aiocb>?] = unsafe [nil]
    XCTAssertEqual(unsafe lio_listio(Int32(LIO_WAIT), &controls, 1, &event), 0)
    XCTAssertEqual(try recorder.rest(), [])
  }
}

extension sigevent {
  static var silent: sigevent {
    var event = unsafe sigevent()
    unsafe event.sigev_notify = Int32(SIGEV_NONE)
    return unsafe event
  }

  static func signal(_ number: Int32) -> sigevent {
    var event = unsafe sigevent()
    unsafe event.sigev_notify = Int32(SIGEV_SIGNAL)
    unsafe event.sigev_signo = number
    unsafe event.sigev_value.sival_ptr = unsafe UnsafeMutableRawPointer(bitPattern: 1234)
    return unsafe event
  }
}
