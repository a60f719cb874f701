import Glibc
import PosixAIO
import Reactor
import SystemPackage
import TestSupport
import XCTest

/// How a listener ends, and tasks that serve its clients.
final class ListenerEndTests: SocketTaskTestCase {
  private static let clientCount = 100

  /// Its connections do not wait for the end of their peers.
  private var configuration: Listener.Configuration {
    var configuration = Listener.Configuration()
    configuration.connection.lingerTimeout = .zero
    return configuration
  }

  func test_shutDownServesEveryClientInTheKernelsQueue_inTheNextTurn() throws {
    for address in [SocketAddress.loopback(port: 0), .abstract("swift-aio-end-\(getpid())")] {
      let loop = try EventLoop()
      let listener = try Listener(on: loop, address, configuration: self.configuration)
      let clients = try (0..<Self.clientCount).map { _ in try connect(to: listener.address) }
      var servedCount = 0
      listener.onConnection = { connection in
        expectNoThrow { try connection.write([7]) }
        connection.close()
        servedCount += 1
      }
      listener.shutDown()
      XCTAssertFalse(listener.isOpen)
      XCTAssertEqual(servedCount, 0, "no handler is called inside the call")
      XCTAssertThrowsError(try connect(to: listener.address))
      XCTAssertTrue(loop.shutDown(within: testDeadline))
      XCTAssertEqual(servedCount, Self.clientCount)
      for client in clients { XCTAssertEqual(try client.readAll(), [7]) }
    }
  }

  func test_shutDownTakesNoMoreThanTheConnectionLimit_andNoneWhilePaused() throws {
    for (isPaused, expected) in [(false, 3), (true, 0)] {
      let loop = try EventLoop()
      var configuration = self.configuration
      configuration.connectionLimit = 3
      let listener = try Listener(on: loop, .loopback(port: 0), configuration: configuration)
      let clients = try (0..<5).map { _ in try connect(to: listener.address) }
      var count = 0
      listener.onConnection = { connection in
        count += 1
        connection.close()
      }
      if isPaused { listener.pause() }
      listener.shutDown()
      listener.shutDown()
      listener.close()
      XCTAssertTrue(loop.shutDown(within: testDeadline))
      XCTAssertEqual(count, expected)
      withExtendedLifetime(clients) {}
    }
  }

  func test_clientsOfAShutDownAreAborted_whenTheHandlerIsGoneByThen() throws {
    let loop = try EventLoop()
    let listener = try Listener(on: loop, .loopback(port: 0))
    let client = try connect(to: listener.address)
    listener.onConnection = { _ in XCTFail("the handler was removed") }
    listener.shutDown()
    listener.onConnection = nil
    XCTAssertTrue(loop.shutDown(within: testDeadline))
    XCTAssertEqual(try client.readAll(), [])
  }

  func test_nothingStaysOpen_whenTheLoopIsCutOffBeforeTheClientsAreHandedOver() throws {
    let before = try openDescriptors()
    try {
      let loop = try EventLoop()
      let listener = try Listener(on: loop, .loopback(port: 0))
      let client = try connect(to: listener.address)
      listener.onConnection = { connection in XCTAssertFalse(connection.isOpen) }
      listener.shutDown()
      loop.close()
      withExtendedLifetime(client) {}
    }()
    XCTAssertEqual(try openDescriptors(), before)
  }

  func test_sequenceEndsAfterTheClientsInTheKernelsQueue() throws {
    try runTask { loop in
      let listener = try Listener(on: loop, .loopback(port: 0))
      let clients = try (0..<Self.clientCount).map { _ in try self.connect(to: listener.address) }
      var iterator = listener.connections.makeAsyncIterator()
      listener.shutDown()
      var count = 0
      while let connection = try await iterator.next() {
        count += 1
        connection.abort()
      }
      XCTAssertEqual(count, Self.clientCount)
      withExtendedLifetime(clients) {}
    }
  }

  func test_serveReturnsAfterTheLastClient_andReportsTheErrorsOfSome() throws {
    try runTask { loop in
      let listener = try Listener(
        on: loop, .loopback(port: 0), configuration: self.configuration)
      let clients = try (0..<10).map { _ in try self.connect(to: listener.address) }
      let failed = Counter()
      let served = Counter()
      let server = loop.startTask {
        try await listener.serve { connection in
          listener.shutDown()  // some clients are accepted by now, others not
          guard let line = try await connection.readLine() else { throw Errno.noData }
          try await connection.write(line)
          served.value += 1
        } onError: { _, error in
          XCTAssertEqual(error as? Errno, .noData)
          failed.value += 1
        }
      }
      for client in clients.prefix(5) { client.send("line\n") }
      for client in clients.suffix(5) { client.finishSending() }
      try await server.value
      XCTAssertEqual(served.value, 5)
      XCTAssertEqual(failed.value, 5)
      for client in clients.prefix(5) {
        client.finishSending()
        XCTAssertEqual(try client.readAll(), Array("line".utf8))
      }
    }
  }

  func test_serveAbortsClientsThatStay_afterItsTimeout() throws {
    try runTask { loop in
      let listener = try Listener(on: loop, .loopback(port: 0))
      let client = try self.connect(to: listener.address)
      let server = loop.startTask {
        try await listener.serve(endingWithin: .milliseconds(1)) { connection in
          listener.shutDown()
          _ = try await connection.read()
        } onError: { _, error in
          XCTAssertEqual((error as? SocketError)?.errno, .canceled)
        }
      }
      try await server.value
      XCTAssertEqual(try client.readAll(), [])
    }
  }

  func test_serveThrowsAndClosesAll_whenItsTaskIsCancelled() throws {
    try runTask { loop in
      let listener = try Listener(on: loop, .loopback(port: 0))
      let client = try self.connect(to: listener.address)
      let failed = Counter()
      let (begins, begin) = AsyncStream<Void>.makeStream()
      let server = loop.startTask {
        try await listener.serve { connection in
          begin.finish()
          _ = try await connection.read()
        } onError: { _, _ in
          failed.value += 1
        }
      }
      for await _ in begins {}
      server.cancel()
      do {
        try await server.value
        XCTFail("not cancelled")
      } catch {
        XCTAssertEqual((error as? SocketError)?.errno, .canceled)
      }
      XCTAssertEqual(failed.value, 1)
      XCTAssertFalse(listener.isOpen)
      XCTAssertEqual(try client.readAll(), [])
    }
  }

  private func connect(to address: SocketAddress) throws -> PlainClient {
    try PlainClient(to: address)
  }
}

/// Counts on the loop's thread.
private final class Counter: @unchecked Sendable {
  var value = 0
}

/// A blocking socket, which is connected as soon as the kernel has it in the listener's queue.
private final class PlainClient {
  private let descriptor: Int32

  init(to address: SocketAddress) throws {
    var plain = sockaddr_storage()
    let byteCount = unsafe withUnsafeMutableBytes(of: &plain) { memory in
      guard address.family == .ipv4 else {
        unsafe memory.storeBytes(of: sa_family_t(AF_UNIX), as: sa_family_t.self)
        let name = [0] + Array(address.host.dropFirst().utf8)
        unsafe memory[2...].copyBytes(from: name)
        return 2 + name.count
      }
      var ipv4 = sockaddr_in()
      ipv4.sin_family = sa_family_t(AF_INET)
      ipv4.sin_port = address.port.bigEndian
      ipv4.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
      unsafe memory.storeBytes(of: ipv4, as: sockaddr_in.self)
      return MemoryLayout<sockaddr_in>.size
    }
    let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
    descriptor = socket(address.family == .ipv4 ? AF_INET : AF_UNIX, type, 0)
    let result = unsafe withUnsafeBytes(of: &plain) {
      // The calls take any address as a `sockaddr`.
      unsafe Glibc.connect(
        descriptor, $0.baseAddress?.assumingMemoryBound(to: sockaddr.self), socklen_t(byteCount))
    }
    guard result == 0 else {
      defer { Glibc.close(descriptor) }
      throw Errno(rawValue: errno)
    }
  }

  deinit { Glibc.close(descriptor) }

  func send(_ text: String) {
    _ = unsafe Glibc.send(descriptor, text, text.utf8.count, Int32(MSG_NOSIGNAL))
  }

  func finishSending() { Glibc.shutdown(descriptor, Int32(SHUT_WR)) }

  /// Up to the end of input.
  func readAll() throws -> [UInt8] {
    var bytes: [UInt8] = []
    while true {
      var piece = [UInt8](repeating: 0, count: 100)
      let count = unsafe recv(descriptor, &piece, piece.count, 0)
      guard count >= 0 else { throw Errno(rawValue: errno) }
      guard count > 0 else { return bytes }
      bytes += piece.prefix(count)
    }
  }
}
