import PosixAIO
import Synchronization
import SystemPackage
import TestSupport
import XCTest

@testable import Reactor

/// What belongs to a loop, and goes on another thread or without having been closed.
final class DroppedHandlesTests: XCTestCase {
  func test_fileIsClosed_whenItIsDroppedOnAnotherThread() throws {
    let loop = try EventLoop()
    let before = try openDescriptors()
    let kept = Mutex<File?>(nil)
    File.open("/etc/services", .readOnly, on: loop) { result in
      let opened = try? result.get()
      kept.withLock { $0 = opened }
      loop.stop()
    }
    loop.runUntilStopped()
    XCTAssertNotEqual(try openDescriptors(), before)
    try OtherThread.run { kept.withLock { $0 = nil } }
    XCTAssertEqual(try openDescriptors(), before)
  }

  func test_requestsOfALoopComplete_whenItIsDroppedOnAnotherThread() throws {
    var ends = [Int32](repeating: 0, count: 2)
    try checkedCall(unsafe pipe(&ends))
    defer { for end in ends { close(end) } }
    let kept = Mutex<EventLoop?>(nil)
    var errno: Errno?
    do {
      let loop = try EventLoop()
      let file = AIOFile(FileDescriptor(rawValue: dup(ends[0])), queue: loop.queue)
      try file.read(into: IOBuffer(capacity: 1), at: 0) { result, _ in
        if case .failure(let error) = result { errno = error.errno }
      }
      kept.withLock { $0 = loop }
    }
    XCTAssertNil(errno)
    try OtherThread.run { kept.withLock { $0 = nil } }
    XCTAssertEqual(errno, .canceled)
  }

  func test_clientsNotTakenAreClosed_whenTheirSequenceIsDroppedOnAnotherThread() throws {
    let loop = try EventLoop()
    let listener = try Listener(on: loop, .loopback(port: 0))
    let kept = Mutex<Clients?>(Clients(listener))
    var reason: Connection.CloseReason?
    Connection.connect(to: listener.address, on: loop) { result in
      guard case .success(let client) = result else { return XCTFail("\(result)") }
      client.onReceive = { $1.byteCount }
      client.onClose = {
        reason = $1
        loop.stop()
      }
    }
    loop.run(until: { listener.connectionCount == 1 }, timeout: testDeadline)
    try OtherThread.run { kept.withLock { $0 = nil } }
    loop.runUntilStopped()
    XCTAssertEqual(reason, .endOfInput)
    // Others may take its clients now.
    listener.onConnection = { _ in }
    listener.close()
  }

  private struct Clients: @unchecked Sendable {
    let iterator: Listener.Connections.Iterator
    init(_ listener: Listener) { iterator = listener.connections.makeAsyncIterator() }
  }

  func test_connectionWithoutHandlersIsClosed_whenItIsDropped() throws {
    try connectAndDrop { connection in
      // Sent before it is closed.
      try connection.write("rest".utf8)
      return nil
    }
  }

  func test_connectionStaysOpen_whileSomethingRefersToIt() throws {
    try connectAndDrop { connection in connection }
  }

  /// Has the client's side wait for the end, which comes when the server's is not referred to.
  private func connectAndDrop(
    _ use: @escaping (Connection) throws -> Connection?
  ) throws {
    let loop = try EventLoop()
    loop.core.sockets.dropSearch.firstDelay = .milliseconds(10)
    let listener = try Listener(on: loop, .loopback(port: 0))
    var kept: Connection?
    var (isAccepted, isConnected) = (false, false)
    listener.onConnection = { connection in
      expectNoThrow { kept = try use(connection) }
      isAccepted = true
    }
    var received: [UInt8] = []
    var reason: Connection.CloseReason?
    Connection.connect(to: listener.address, on: loop, configuration: .closingSoon) { result in
      guard case .success(let client) = result else { return XCTFail("\(result)") }
      client.onReceive = {
        received += Array($1)
        return $1.byteCount
      }
      client.onClose = { reason = $1 }
      isConnected = true
    }
    loop.run(until: { isAccepted && isConnected }, timeout: testDeadline)
    let isKept = kept != nil
    // The delay grows when the loop has looked and left a connection open.
    let search = { loop.core.sockets.dropSearch }
    let hasEnded = loop.run(
      until: { isKept ? search().delay > search().firstDelay : reason != nil },
      timeout: testDeadline)
    XCTAssertTrue(hasEnded)
    XCTAssertEqual(reason, isKept ? nil : .endOfInput)
    XCTAssertEqual(received, isKept ? [] : Array("rest".utf8))
    XCTAssertEqual(kept?.isOpen, isKept ? true : nil)
    kept?.abort()
    listener.close()
    loop.close()
  }

  private func checkedCall(_ status: Int32) throws {
    guard status == 0 else { throw Errno(rawValue: errno) }
  }
}
