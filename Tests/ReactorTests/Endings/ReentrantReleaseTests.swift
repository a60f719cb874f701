import Glibc
import PosixAIO
import SystemPackage
import TestSupport
import XCTest

@testable import Reactor

/// What a handler captures goes with it, and its deinit calls back. Each of these traps today with
/// "Simultaneous accesses" or "used off its thread".
final class ReentrantReleaseTests: XCTestCase {
  final class Session {
    var end: (() -> Void)?
    init(_ end: (() -> Void)? = nil) { self.end = end }
    deinit { end?() }
  }

  func test_aTimersBodyMayHoldWhatCancelsTheTimer() throws {
    let loop = try EventLoop()
    var session: Session? = Session()
    let timer = loop.schedule(after: .seconds(100)) { [session] in _ = session }
    session?.end = { timer.cancel() }
    session = nil
    timer.cancel()
    loop.close()
  }

  func test_aReceiveHandlerMayHoldWhatClosesTheConnection() throws {
    let loop = try EventLoop()
    let (connection, peer) = try pair(loop)
    var session: Session? = Session()
    session?.end = { connection.close() }
    connection.onReceive = { [session] _, bytes in
      _ = session
      return bytes.byteCount
    }
    session = nil
    connection.onReceive = nil
    loop.run(for: .milliseconds(5))
    Glibc.close(peer)
    loop.close()
  }

  func test_anEndHandlerMayHoldWhatAbortsTheConnection() throws {
    let loop = try EventLoop()
    let (connection, peer) = try pair(loop)
    var session: Session? = Session()
    session?.end = { connection.abort() }
    connection.onDrained = { [session] _ in _ = session }
    session = nil
    connection.onDrained = nil
    loop.run(for: .milliseconds(5))
    Glibc.close(peer)
    loop.close()
  }

  func test_aHandlerOfAnAbortedConnectionMayHoldWhatClosesTheLoop() throws {
    let ends = try CloseWhileBusyTests.endsInTime {
      let loop = try EventLoop()
      var ends: [Int32] = [0, 0]
      unsafe XCTAssertEqual(socketpair(AF_UNIX, 1, 0, &ends), 0)
      let connection = try Connection(adopting: FileDescriptor(rawValue: ends[0]), on: loop)
      var reasons: [Connection.CloseReason] = []
      connection.onClose = { reasons.append($1) }
      connection.onReceive = { [session = Session { loop.close() }] _, bytes in
        _ = session
        return bytes.byteCount
      }
      connection.abort()
      XCTAssertEqual(reasons, [.local])
      Glibc.close(ends[1])
    }
    XCTAssertTrue(ends, "close() waits for the connection that is being aborted")
  }

  func test_anAcceptHandlerMayHoldWhatClosesTheListener() throws {
    let loop = try EventLoop()
    let listener = try Listener(on: loop, .loopback(port: 0))
    var session: Session? = Session()
    session?.end = { listener.close() }
    listener.onConnection = { [session] _ in _ = session }
    session = nil
    listener.onConnection = nil
    loop.close()
  }

  func test_whatATimerOfTheEndHoldsMayCloseItsFile() throws {
    let loop = try EventLoop()
    let folder = try TemporaryDirectory()
    let path = folder.path.appending("file")
    var file: File?
    File.open(path, .readWrite, options: .create, on: loop) {
      file = try? $0.get(); loop.stop()
    }
    loop.run()
    var closed = 0
    loop.nextTurn {
      let session = Session()
      session.end = { file?.close { _ in closed += 1 } }
      loop.schedule(after: .seconds(1)) { _ = session }
    }
    loop.close()
    XCTAssertEqual(closed, 1)
  }

  private func pair(_ loop: EventLoop) throws -> (Connection, Int32) {
    var ends: [Int32] = [0, 0]
    unsafe XCTAssertEqual(socketpair(AF_UNIX, 1, 0, &ends), 0)
    let connection = try Connection(adopting: FileDescriptor(rawValue: ends[0]), on: loop)
    return (connection, ends[1])
  }

  // MARK: - Circles

  func test_aTimerThatCancelsItselfDoesNotKeepAClosedLoop() throws {
    weak var weakLoop: EventLoop?
    do {
      let loop = try EventLoop()
      weakLoop = loop
      var timer: EventLoop.Timer?
      timer = loop.schedule(every: .seconds(1)) {
        timer?.cancel()
        loop.stop()
      }
      loop.close()
    }
    XCTAssertNil(weakLoop)
  }

  func test_aSignalWatchThatCancelsItselfDoesNotKeepAClosedLoop() throws {
    weak var weakLoop: EventLoop?
    do {
      let loop = try EventLoop()
      weakLoop = loop
      var watch: SignalWatch?
      watch = loop.watch(.user2) {
        watch?.cancel()
        loop.stop()
      }
      kill(getpid(), SIGUSR2)
      loop.run()
      loop.close()
    }
    XCTAssertNil(weakLoop)
  }
}
