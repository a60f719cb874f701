import Foundation
import Reactor
import SystemPackage
import Synchronization
import TestSupport
import XCTest

final class ListenerTests: XCTestCase {
  func test_takenAddressIsRefused_andNothingStaysBehind() throws {
    let loop = try EventLoop()
    let listener = try Listener(on: loop, .loopback(port: 0))
    XCTAssertNotEqual(listener.address.port, 0)
    let before = try openDescriptors()
    XCTAssertThrowsError(try Listener(on: loop, listener.address)) {
      XCTAssertEqual($0 as? Errno, .addressInUse)
    }
    XCTAssertEqual(try openDescriptors(), before)
    listener.close()
    // A listener that has closed leaves the port free.
    try Listener(on: loop, listener.address).close()
  }

  func test_ipv6OnlyLeavesThePortToIPv4() throws {
    let loop = try EventLoop()
    var configuration = Listener.Configuration()
    configuration.isIPv6Only = true
    guard let ipv6 = try? Listener(on: loop, .any(port: 0), configuration: configuration) else {
      throw XCTSkip("this machine has no IPv6")
    }
    let ipv4 = try Listener(on: loop, .anyIPv4(port: ipv6.address.port))
    ipv4.close()
    configuration.isIPv6Only = false
    ipv6.close()
    let both = try Listener(on: loop, .any(port: 0), configuration: configuration)
    XCTAssertThrowsError(try Listener(on: loop, .anyIPv4(port: both.address.port)))
    both.close()
  }

  func test_socketFileGoesWithItsListener_butNotAnothers() throws {
    let (folder, loop) = (try TemporaryDirectory(), try EventLoop())
    let path = folder.path.appending("socket")
    let listener = try Listener(on: loop, .unix(path))
    XCTAssertEqual(listener.address, .unix(path))
    XCTAssertTrue(FileManager.default.fileExists(atPath: path.string))
    listener.close()
    XCTAssertFalse(FileManager.default.fileExists(atPath: path.string))

    let first = try Listener(on: loop, .unix(path))
    try FileManager.default.removeItem(atPath: path.string)
    let second = try Listener(on: loop, .unix(path))
    first.close()
    XCTAssertTrue(FileManager.default.fileExists(atPath: path.string))
    second.close()
  }

  func test_clientsWaitForAHandler_andWhilePaused() throws {
    let loop = try EventLoop()
    let listener = try Listener(on: loop, .loopback(port: 0))
    var accepted = 0
    Connection.connect(to: listener.address, on: loop) { result in
      expectNoThrow { _ = try result.get() }
      XCTAssertEqual(accepted, 0)
      listener.pause()
      listener.onConnection = { _ in
        XCTAssertFalse(listener.isPaused)
        accepted += 1
        loop.stop()
      }
      loop.schedule(after: .milliseconds(5)) { listener.resume() }
    }
    loop.runUntilStopped()
    XCTAssertEqual(accepted, 1)
    listener.close()
  }

  func test_twoHundredClientsAtOnceAreAllServed() throws {
    let loop = try EventLoop()
    let listener = try Listener(on: loop, .loopback(port: 0))
    let count = 200
    var finished = 0
    listener.onConnection = { connection in
      connection.onReceive = { connection, bytes in
        try? connection.write(bytes)
        return bytes.byteCount
      }
    }
    for number in 0..<count {
      Connection.connect(to: listener.address, on: loop) { result in
        guard case .success(let client) = result else { return XCTFail("\(result)") }
        let record = Record(of: client) { loop.stop() }
        client.onEndOfInput = { _ in
          XCTAssertEqual(record.text, "client \(number)")
        }
        client.onClose = { _, reason in
          XCTAssertEqual(reason, .endOfInput)
          finished += 1
          if finished == count { loop.stop() }
        }
        expectNoThrow { try client.write("client \(number)".utf8) }
        client.shutdownOutput()
      }
    }
    loop.runUntilStopped()
    XCTAssertEqual(finished, count)
    XCTAssertEqual(listener.connectionCount, 0)
    listener.close()
  }

  func test_clientsBeyondTheLimitWait_untilAConnectionCloses() throws {
    let loop = try EventLoop()
    var configuration = Listener.Configuration()
    configuration.connectionLimit = 2
    let listener = try Listener(on: loop, .loopback(port: 0), configuration: configuration)
    var open: [Connection] = []
    var served = 0
    listener.onConnection = { connection in
      served += 1
      open.append(connection)
      XCTAssertLessThanOrEqual(listener.connectionCount, 2)
      connection.onReceive = { _, bytes in bytes.byteCount }
      loop.schedule(after: .milliseconds(2)) { open.removeFirst().abort() }
      if served == 7 { loop.stop() }
    }
    for _ in 0..<7 {
      Connection.connect(to: listener.address, on: loop) { result in
        expectNoThrow { _ = try result.get() }
      }
    }
    loop.runUntilStopped()
    XCTAssertEqual(served, 7)
    listener.close()
  }

  func test_processWithoutDescriptorsReportsIt_andAcceptsWhenThereAreSome() throws {
    let loop = try EventLoop()
    let listener = try Listener(on: loop, .loopback(port: 0))
    var errors: [SocketError] = []
    var turns = 0
    listener.onConnection = { connection in
      XCTAssertFalse(errors.isEmpty)
      connection.abort()
      loop.stop()
    }
    listener.pause()
    Connection.connect(to: listener.address, on: loop) { _ in loop.stop() }
    loop.runUntilStopped()
    var hoard: [Int32] = []
    try ResourceLimit.openFiles.lowered(to: 256) {
      while true {
        let descriptor = dup(0)
        guard descriptor >= 0 else { break }
        hoard.append(descriptor)
      }
      listener.onError = { error in
        errors.append(error)
        // As long as it rests, the loop has nothing to do: it would otherwise come around
        // thousands of times.
        if errors.count == 2 { loop.stop() }
      }
      let ticker = loop.schedule(every: .milliseconds(10)) { turns += 1 }
      listener.resume()
      loop.runUntilStopped()
      ticker.cancel()
      for descriptor in hoard { close(descriptor) }
    }
    XCTAssertEqual(errors.map(\.errno), [.tooManyOpenFiles, .tooManyOpenFiles])
    XCTAssertEqual(
      errors.first.map { "\($0)" }, "accept \(listener.address): Too many open files")
    XCTAssertGreaterThan(turns, 0)
    loop.runUntilStopped()
    listener.close()
  }

  func test_listenerMayCloseInItsHandler() throws {
    let loop = try EventLoop()
    let listener = try Listener(on: loop, .loopback(port: 0))
    let before = try openDescriptors()
    var accepted = 0
    listener.onConnection = { connection in
      accepted += 1
      listener.close()
      connection.abort()
    }
    var connected = 0
    for _ in 0..<3 {
      Connection.connect(to: listener.address, on: loop) { result in
        connected += 1
        try? result.get().abort()
        if connected == 3 { loop.schedule(after: .milliseconds(5)) { loop.stop() } }
      }
    }
    loop.runUntilStopped()
    XCTAssertEqual(accepted, 1)
    XCTAssertEqual(try openDescriptors().count, before.count - 1)
  }

  func test_loopsOnSeveralThreadsShareAPort() throws {
    var configuration = Listener.Configuration()
    configuration.reusesPort = true
    let loop = try EventLoop()
    let mine = try Listener(on: loop, .loopback(port: 0), configuration: configuration)
    let address = mine.address
    let other = OtherLoop()
    let ready = DispatchSemaphore(value: 0)
    let done = DispatchSemaphore(value: 0)
    Thread.detachNewThread { [configuration] in
      defer { done.signal() }
      guard let loop = try? EventLoop(),
        let theirs = try? Listener(on: loop, address, configuration: configuration)
      else { return XCTFail("no second listener") }
      theirs.onConnection = { connection in
        expectNoThrow { try connection.write("theirs".utf8) }
        connection.close()
      }
      other.remote.withLock { $0 = loop.remote }
      ready.signal()
      loop.run()
    }
    ready.wait()
    mine.onConnection = { connection in
      expectNoThrow { try connection.write("mine".utf8) }
      connection.close()
    }
    // The kernel spreads by a hash of the client's port: so many clients on one side only would be
    // a wonder.
    var replies: [String] = []
    for _ in 0..<64 {
      Connection.connect(to: address, on: loop, configuration: .closingSoon) { result in
        guard case .success(let client) = result else { return XCTFail("\(result)") }
        var record: Record?
        record = Record(of: client) {
          replies.append(record?.text ?? "")
          record = nil
          if replies.count == 64 { loop.stop() }
        }
        client.onEndOfInput = nil
      }
    }
    loop.runUntilStopped()
    XCTAssertEqual(Set(replies), ["mine", "theirs"])
    mine.close()
    other.stop()
    done.wait()
  }
}

/// The loop of another thread.
private final class OtherLoop: Sendable {
  let remote = Mutex<EventLoop.Remote?>(nil)

  func stop() {
    _ = remote.withLock { $0?.execute { $0.stop() } }
  }
}
