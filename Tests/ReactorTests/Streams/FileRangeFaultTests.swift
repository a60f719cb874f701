import Glibc
import PosixAIO
import SystemPackage
import TestSupport
import XCTest

@testable import Reactor

/// Ranges of files whose file changes, or whose calls fail.
final class FileRangeFaultTests: FileRangeTestCase {
  private static let bytes = Pattern.block(2, byteCount: 1_000_000)
  private static let whole = Int64(bytes.count)

  private func make(
    _ calls: FaultyFileCalls? = nil, sendBufferByteCount: Int32? = nil
  ) throws -> (TemporaryDirectory, EventLoop, File, AdoptedSocket) {
    let (folder, loop) = (try TemporaryDirectory(), try makeLoop())
    if let calls { loop.core.fileCalls = calls }
    try folder.write(Self.bytes, to: "file")
    let file = try loop.open(folder.path.appending("file"))
    return (
      folder, loop, file, try AdoptedSocket(on: loop, sendBufferByteCount: sendBufferByteCount)
    )
  }

  // MARK: The file changes

  func test_fileThatBecomesShorterStopsTheOutput_whereItEnds() throws {
    for isCold in [false, true] {
      let (folder, loop, file, socket) = try make(sendBufferByteCount: 4096)
      let connection = socket.connection
      let path = folder.path.appending("file")
      if isCold { try warm(path, .cold) }
      let outcomes = RangeOutcomes()
      var lost: [Connection.WriteOutcome] = []
      connection.write(file, 0..<Self.whole, outcomes.note)
      connection.write(IOBuffer(copying: [1, 2, 3])) { outcome, _ in lost.append(outcome) }
      var received: [UInt8] = []
      loop.wait { socket.take(into: &received) }
      XCTAssertEqual(unsafe truncate(path.string, 600_000), 0)
      loop.wait {
        _ = socket.take(into: &received)
        return !outcomes.results.isEmpty
      }
      // Pages that had left the cache's file are what sendfile(2) gave before.
      guard case .failure(let error) = outcomes.results[0] else { return XCTFail("sent") }
      XCTAssertEqual(error.reason, .endOfFile)
      XCTAssertGreaterThanOrEqual(error.byteCountDone, 600_000)
      XCTAssertLessThan(error.byteCountDone, Self.whole)
      received += socket.receive(Int(error.byteCountDone) - received.count)
      XCTAssertTrue(received[..<600_000] == Self.bytes[..<600_000])
      // Nothing comes in the place of what is missing.
      XCTAssertTrue(connection.isOpen)
      XCTAssertThrowsError(try connection.write([4])) {
        XCTAssertEqual($0 as? Errno, .brokenPipe)
      }
      XCTAssertEqual(connection.pendingByteCount, 3)
      XCTAssertEqual(lost, [])
      var reason: Connection.CloseReason?
      connection.onClose = { reason = $1 }
      connection.close()
      loop.wait { reason != nil }
      XCTAssertEqual(reason, .failed(.ioError))
      XCTAssertEqual(lost, [.connectionClosed])
      XCTAssertFalse(socket.take(into: &received))
    }
  }

  func test_rangeBehindTheEndIsAFailure_alsoASmallOne() throws {
    for range in [Self.whole - 10..<Self.whole + 1, Self.whole + 5..<Self.whole + 6] {
      let (_, loop, file, socket) = try make()
      let outcomes = RangeOutcomes()
      socket.connection.write(file, range, outcomes.note)
      loop.wait { !outcomes.results.isEmpty }
      XCTAssertEqual(
        outcomes.results,
        [
          .failure(
            PumpError(.endOfFile, byteCountDone: max(0, Self.whole - range.lowerBound)))
        ])
      socket.end()
    }
  }

  func test_fileThatHasGrownIsSent_andOneThatGrowsMeanwhile() throws {
    let more = Pattern.block(3, byteCount: 700_000)
    let (folder, loop, file, socket) = try make(sendBufferByteCount: 4096)
    let descriptor = try folder.open("file")
    defer { close(descriptor.rawValue) }
    XCTAssertEqual(
      unsafe pwrite(descriptor.rawValue, more, more.count, off_t(Self.whole)), more.count)
    let outcomes = RangeOutcomes()
    let end = Self.whole + Int64(more.count)
    socket.connection.write(file, 5..<end, outcomes.note)
    // As much as there is.
    file.send(100..<Int64.max, to: socket.connection, outcomes.note)
    var received: [UInt8] = []
    loop.wait { socket.take(into: &received) }
    XCTAssertEqual(
      unsafe pwrite(descriptor.rawValue, more, more.count, off_t(end)), more.count)
    let expected = Self.bytes[5...] + more + Self.bytes[100...] + more + more
    received += socket.receive(expected.count - received.count)
    XCTAssertTrue(received == Array(expected))
    loop.wait { outcomes.results.count == 2 }
    XCTAssertEqual(
      outcomes.results,
      [.success(end - 5), .success(end + Int64(more.count) - 100)])
    try socket.connection.write([1])
    XCTAssertEqual(socket.receive(1), [1])
    socket.end()
  }

  func test_fileThatCannotBeReadIsAFailure_behindWhatWasBefore() throws {
    let (folder, loop, _, socket) = try make()
    let path = folder.path.appending("file")
    let file = try loop.open(path, .writeOnly)
    for range in [0..<10, 0..<Self.whole] as [Range<Int64>] {
      let other = try AdoptedSocket(on: loop)
      let outcomes = RangeOutcomes()
      try other.connection.write([9])
      other.connection.write(file, range, outcomes.note)
      loop.wait { !outcomes.results.isEmpty }
      let error = FileError(operation: .read, path: path, offset: 0, errno: .badFileDescriptor)
      XCTAssertEqual(outcomes.results, [.failure(PumpError(.file(error), byteCountDone: 0))])
      XCTAssertEqual(other.receive(1), [9])
      other.end()
    }
    socket.end()
  }

  func test_smallRangeOfAClosedFileFailsInItsPlace_andIsToldOnceInALaterTurn() throws {
    let (folder, loop, file, socket) = try make()
    file.close()
    for byteCount in [0, 9] {
      let other = try AdoptedSocket(on: loop)
      let outcomes = RangeOutcomes()
      try other.connection.write([UInt8](repeating: 9, count: byteCount))
      other.connection.write(file, 5..<15, outcomes.note)
      XCTAssertTrue(outcomes.results.isEmpty)
      loop.wait { !outcomes.results.isEmpty }
      let error = FileError(
        operation: .read, path: file.path, offset: 5, errno: .badFileDescriptor)
      XCTAssertEqual(other.connection.sentByteCount, Int64(byteCount))
      other.end()
      XCTAssertEqual(outcomes.results, [.failure(PumpError(.file(error), byteCountDone: 0))])
    }
    socket.end()
    withExtendedLifetime(folder) {}
  }

  // MARK: The calls fail

  func test_everyByteArrives_whateverTheCallsSay() throws {
    let faults: [(String, (FaultyFileCalls) -> Void)] = [
      ("sendfile EINVAL", { $0.sendErrors = [EINVAL] }),
      ("sendfile ENOSYS", { $0.sendErrors = [ENOSYS] }),
      ("sendfile EIO", { $0.sendErrors = [EIO] }),
      ("sendfile EAGAIN", { $0.sendErrors = [EAGAIN, EAGAIN, EINTR] }),
      ("cachestat ENOSYS", { $0.missingPageErrors = [ENOSYS] }),
      ("cachestat EPERM", { $0.missingPageErrors = [EPERM] }),
      ("cachestat EOPNOTSUPP", { $0.missingPageErrors = [EOPNOTSUPP] }),
      ("preadv2 EOPNOTSUPP", { $0.readErrors = [EOPNOTSUPP] }),
      ("preadv2 EAGAIN", { $0.readErrors = [EAGAIN] }),
      ("little at a time", { $0.sendLimit = 10_000 }),
      ("says cached", { $0.claimsAllIsCached = true }),
    ]
    for warmth in [Warmth.warm, .cold, .everyOtherPart] {
      for (name, fault) in faults {
        let calls = FaultyFileCalls()
        calls.failsForEver = !name.contains("AGAIN")
        fault(calls)
        let (folder, loop, file, socket) = try make(calls)
        try warm(folder.path.appending("file"), warmth)
        let outcomes = RangeOutcomes()
        try socket.connection.write([7])
        for _ in 0..<2 {
          socket.connection.write(file, 0..<Self.whole, outcomes.note)
          socket.connection.write(file, 100..<200, outcomes.note)
        }
        let once = Self.bytes + Self.bytes[100..<200]
        assertReceived([7] + once + once, from: socket, "\(name), \(warmth)")
        loop.wait { outcomes.results.count == 4 }
        XCTAssertEqual(
          outcomes.results,
          [.success(Self.whole), .success(100), .success(Self.whole), .success(100)], name)
        socket.end()
      }
    }
  }

  func test_whatDoesNotWorkIsNotTriedAgain_forTheFileOrTheLoop() throws {
    for (error, isOfLoop) in [(EOPNOTSUPP, false), (ENOSYS, true)] {
      let calls = FaultyFileCalls()
      (calls.missingPageErrors, calls.failsForEver) = ([error], true)
      let (folder, loop, file, socket) = try make(calls)
      let outcomes = RangeOutcomes()
      for _ in 0..<3 { socket.connection.write(file, 0..<Self.whole, outcomes.note) }
      assertReceived(Self.bytes + Self.bytes + Self.bytes, from: socket)
      XCTAssertEqual(calls.missingPageCount, 1)
      XCTAssertEqual(calls.sendCount, 0)
      let other = try loop.open(folder.path.appending("file"))
      socket.connection.write(other, 0..<Self.whole, outcomes.note)
      assertReceived(Self.bytes, from: socket)
      XCTAssertEqual(calls.missingPageCount, isOfLoop ? 1 : 2)
      XCTAssertEqual(loop.statistics.uncopiedFileByteCount, 0)
      XCTAssertEqual(loop.statistics.copiedFileByteCount, UInt64(4 * Self.whole))
      socket.end()
    }
  }

  func test_windowWhosePagesAreStillBeingReadIsNotSentWithoutACopy() throws {
    // The first byte, and then the last one.
    for errors in [[EAGAIN], [0, EAGAIN]] {
      let calls = FaultyFileCalls()
      calls.claimsAllIsCached = true
      calls.readErrors = errors
      let (folder, loop, file, socket) = try make(calls)
      let outcomes = RangeOutcomes()
      socket.connection.write(file, 0..<Self.whole, outcomes.note)
      assertReceived(Self.bytes, from: socket)
      XCTAssertGreaterThan(loop.statistics.copiedFileByteCount, 0)
      socket.end()
      withExtendedLifetime(folder) {}
    }
  }

  func test_kernelThatDoesNotSayWhatIsCachedOfAFileIsAskedOnce() throws {
    let calls = FaultyFileCalls()
    (calls.missingPageErrors, calls.failsForEver) = ([EPERM], true)
    let (folder, loop, file, socket) = try make(calls)
    let outcomes = RangeOutcomes()
    for _ in 0..<3 { socket.connection.write(file, 0..<Self.whole, outcomes.note) }
    assertReceived(Self.bytes + Self.bytes + Self.bytes, from: socket)
    XCTAssertEqual(calls.missingPageCount, 1)
    socket.end()
    withExtendedLifetime((folder, loop)) {}
  }

  func test_rangeIsProvenForASecond_fromItsOldestPartOn() {
    let start = ContinuousClock.now
    var proven = ProvenRange()
    XCTAssertEqual(proven.byteCount(from: 0, at: start), 0)
    proven.add(100..<200, at: start)
    proven.add(200..<300, at: start + .milliseconds(900))
    XCTAssertEqual(proven.byteCount(from: 150, at: start + .milliseconds(950)), 150)
    XCTAssertEqual(proven.byteCount(from: 99, at: start + .milliseconds(950)), 0)
    XCTAssertEqual(proven.byteCount(from: 300, at: start + .milliseconds(950)), 0)
    XCTAssertEqual(proven.byteCount(from: 250, at: start + .seconds(1)), 0)
    proven.add(300..<400, at: start + .seconds(1))
    XCTAssertEqual(proven.byteCount(from: 250, at: start + .seconds(1)), 0)
    XCTAssertEqual(proven.byteCount(from: 300, at: start + .seconds(1)), 100)
    // One that does not touch it takes its place.
    proven.add(0..<10, at: start + .seconds(1))
    XCTAssertEqual(proven.byteCount(from: 300, at: start + .seconds(1)), 0)
    XCTAssertEqual(proven.byteCount(from: 0, at: start + .seconds(1)), 10)
  }

  func test_errorOfTheSocketClosesTheConnection() throws {
    let calls = FaultyFileCalls()
    calls.sendErrors = [ECONNRESET]
    let (_, loop, file, socket) = try make(calls)
    let outcomes = RangeOutcomes()
    var reason: Connection.CloseReason?
    socket.connection.onClose = { reason = $1 }
    socket.connection.write(file, 0..<Self.whole, outcomes.note)
    loop.wait { reason != nil }
    XCTAssertEqual(reason, .failed(.connectionReset))
    XCTAssertEqual(
      outcomes.results,
      [.failure(PumpError(.connection(.failed(.connectionReset)), byteCountDone: 0))])
  }

  func test_socketThatWasMadeBlockingIsNotWaitedFor() throws {
    let (_, loop, file, socket) = try make(FaultyFileCalls())
    let connection = socket.connection
    let descriptor = connection.socket.descriptor
    XCTAssertEqual(fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) & ~O_NONBLOCK), 0)
    let outcomes = RangeOutcomes()
    connection.write(file, 0..<Self.whole, outcomes.note)
    // Nobody reads: the loop would hang.
    loop.wait { connection.socket.sending == .socket }
    assertReceived(Self.bytes, from: socket)
    XCTAssertEqual(loop.statistics.uncopiedFileByteCount, 0)
    socket.end()
  }
}
