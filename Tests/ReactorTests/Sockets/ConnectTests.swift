import Glibc
import SystemPackage
import TestSupport
import XCTest

@testable import Reactor

final class ConnectTests: XCTestCase {
  func test_refusedConnectSaysWhereAndWhy() throws {
    let loop = try EventLoop()
    let listener = try Listener(on: loop, .loopback(port: 0))
    let address = listener.address
    listener.close()
    let error = try failure(loop) { Connection.connect(to: address, on: loop, $0) }
    XCTAssertEqual(error.errno, .connectionRefused)
    XCTAssertEqual("\(error)", "connect \(address): Connection refused")
  }

  func test_missingUnixSocketIsAFailure_neverFromInsideTheCall() throws {
    let loop = try EventLoop()
    var isInside = true
    let error = try failure(loop) { handler in
      Connection.connect(to: .abstract("nobody-listens-here"), on: loop) { result in
        XCTAssertFalse(isInside)
        handler(result)
      }
      isInside = false
    }
    XCTAssertEqual(error.errno, .connectionRefused)
  }

  func test_unknownNameIsTheResolversError() throws {
    let loop = try EventLoop()
    let error = try failure(loop) {
      Connection.connect(to: "no-such-host.invalid", port: 80, on: loop, $0)
    }
    guard case .resolver(_, let text) = error.reason else { return XCTFail("\(error)") }
    XCTAssertEqual("\(error)", "resolve no-such-host.invalid:80: \(text)")
    XCTAssertNil(error.errno)
  }

  func test_nameIsConnectedByTheAddressThatResponds() throws {
    let loop = try EventLoop()
    // On IPv4 alone: where the name stands for ::1 first, that is refused and the next is tried.
    let listener = try Listener(on: loop, .loopback(port: 0))
    listener.onConnection = { connection in
      expectNoThrow { try connection.write("hi".utf8) }
      connection.close()
    }
    Connection.connect(
      to: "localhost", port: listener.address.port, on: loop, configuration: .closingSoon
    ) { result in
      guard case .success(let client) = result else {
        XCTFail("\(result)")
        return loop.stop()
      }
      XCTAssertEqual(client.peerAddress, listener.address)
      client.onReceive = { _, bytes in bytes.byteCount }
      client.onClose = { _, _ in loop.stop() }
    }
    loop.runUntilStopped()
    listener.close()
  }

  func test_nextAddressIsTried_whenOneRefuses() throws {
    let loop = try EventLoop()
    let (closed, listener) = (
      try Listener(on: loop, .loopback(port: 0)), try Listener(on: loop, .loopback(port: 0))
    )
    closed.close()
    XCTAssertEqual(
      try peer(loop, [closed.address, closed.address, listener.address]), listener.address)
    listener.close()
  }

  func test_nextAddressIsTriedBesideOneThatDoesNotRespond() throws {
    let loop = try EventLoop()
    let before = try openDescriptors()
    var crowd: FullBacklog? = try FullBacklog(on: loop)
    let listener = try Listener(on: loop, .loopback(port: 0))
    let silent = try XCTUnwrap(crowd).address
    XCTAssertEqual(try peer(loop, [silent, listener.address]), listener.address)
    listener.close()
    crowd?.listener.close()
    crowd = nil
    XCTAssertEqual(try openDescriptors(), before)
  }

  func test_failureOfTheLastAddressIsTold_whenAllRefuse() throws {
    let loop = try EventLoop()
    let listeners = try (0..<2).map { _ in try Listener(on: loop, .loopback(port: 0)) }
    for listener in listeners { listener.close() }
    let error = try failure(loop) { connect(to: listeners.map(\.address), on: loop, $0) }
    XCTAssertEqual(error, SocketError(.connect, "\(listeners[1].address)", .connectionRefused))
  }

  func test_peerThatDoesNotRespondTimesOut() throws {
    let loop = try EventLoop()
    let crowd = try FullBacklog(on: loop)
    let error = try failure(loop) {
      Connection.connect(to: crowd.address, on: loop, timeout: .milliseconds(30), $0)
    }
    XCTAssertEqual(error.errno, .timedOut)
    crowd.listener.close()
  }

  func test_cancelledConnectIsToldOnce() throws {
    let loop = try EventLoop()
    let before = try openDescriptors()
    var crowd: FullBacklog? = try FullBacklog(on: loop)
    let address = try XCTUnwrap(crowd).address
    var isInside = false
    let error = try failure(loop) { handler in
      let attempt = Connection.connect(to: address, on: loop) { result in
        XCTAssertFalse(isInside)
        handler(result)
      }
      loop.schedule(after: .milliseconds(5)) {
        isInside = true
        attempt.cancel()
        attempt.cancel()
        isInside = false
      }
    }
    XCTAssertEqual(error.errno, .canceled)
    crowd?.listener.close()
    crowd = nil
    XCTAssertEqual(try openDescriptors(), before)
  }

  func test_lookUpIsCancelled_andItsResultForgotten() throws {
    var configuration = EventLoop.Configuration()
    configuration.offloadThreadLimit = 1
    let loop = try EventLoop(configuration: configuration)
    let error = try failure(loop) {
      Connection.connect(to: "no-such-host.invalid", port: 80, on: loop, $0).cancel()
    }
    XCTAssertEqual(error.errno, .canceled)
    // The look-up goes on: the next test counts the descriptors of the process.
    loop.run(until: { loop.core.helpers.unfinishedCount == 0 }, timeout: testDeadline)
  }

  func test_connectInProgressIsCanceledWithItsLoop() throws {
    let before = try openDescriptors()
    var errors: [Errno?] = []
    try {
      let loop = try EventLoop()
      let crowd = try FullBacklog(on: loop)
      Connection.connect(to: crowd.address, on: loop) { result in
        if case .failure(let error) = result { errors.append(error.errno) }
      }
      loop.run(for: .milliseconds(5))
      XCTAssertEqual(errors, [])
    }()
    XCTAssertEqual(errors, [.canceled])
    XCTAssertEqual(try openDescriptors(), before)
  }

  /// Connects to a name that stands for several addresses.
  private func connect(
    to addresses: [SocketAddress], on loop: EventLoop,
    _ handler: @escaping (Result<Connection, SocketError>) -> Void
  ) {
    ConnectAttempt("a name", on: loop.core, timeout: testDeadline, .init(), handler)
      .connect(addresses)
  }

  /// Which of several addresses is connected to.
  private func peer(_ loop: EventLoop, _ addresses: [SocketAddress]) throws -> SocketAddress? {
    var result: Result<Connection, SocketError>?
    connect(to: addresses, on: loop) {
      XCTAssertNil(result, "called twice")
      result = $0
      loop.stop()
    }
    loop.runUntilStopped()
    let connection = try XCTUnwrap(result).get()
    let address = connection.peerAddress
    connection.onClose = { _, _ in loop.stop() }
    connection.abort()  // its peer never closes, which an orderly close would wait for
    loop.runUntilStopped()
    return address
  }

  /// Runs a connect that must fail.
  private func failure(
    _ loop: EventLoop, _ connect: (@escaping (Result<Connection, SocketError>) -> Void) -> Void
  ) throws -> SocketError {
    var results: [Result<Connection, SocketError>] = []
    connect { result in
      results.append(result)
      // A moment for a second call, which must not come.
      loop.schedule(after: .milliseconds(2)) { loop.stop() }
    }
    loop.runUntilStopped()
    XCTAssertEqual(results.count, 1)
    var error: SocketError?
    if case .failure(let reason)? = results.first { error = reason }
    return try XCTUnwrap(error)
  }
}
