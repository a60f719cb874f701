import Glibc
import Reactor
import SystemPackage
import TestSupport
import XCTest

/// Two connections of one loop that are each other's peers.
struct Peers {
  enum Kind {
    case tcp, unix
  }

  let client: Connection
  let server: Connection

  /// Connects over a listener that closes behind it.
  init(
    _ kind: Kind = .tcp, on loop: EventLoop,
    client clientConfiguration: Connection.Configuration = .init(),
    server serverConfiguration: Connection.Configuration = .init()
  ) throws {
    var configuration = Listener.Configuration()
    configuration.connection = serverConfiguration
    let address: SocketAddress =
      kind == .tcp
      ? .loopback(port: 0) : .abstract("swift-aio-test-\(UInt64.random(in: 0 ... .max))")
    let listener = try Listener(on: loop, address, configuration: configuration)
    defer { listener.close() }
    var ends: (client: Connection?, server: Connection?)
    listener.onConnection = { connection in
      ends.server = connection
      if ends.client != nil { loop.stop() }
    }
    Connection.connect(to: listener.address, on: loop, configuration: clientConfiguration) {
      result in
      ends.client = try? result.get()
      if ends.server != nil || ends.client == nil { loop.stop() }
    }
    loop.runUntilStopped()
    client = try XCTUnwrap(ends.client)
    server = try XCTUnwrap(ends.server)
  }

  /// Closes both, so that nothing stays open behind the test, and has that told: handlers that are
  /// still owed a call and capture the loop would keep it, and with it one of the few signals.
  func abort() {
    let loop = client.loop
    client.abort()
    server.abort()
    loop.schedule(after: .zero) {}
    loop.runOnce()
  }
}

extension Connection.Configuration {
  /// Closes as soon as the peer has ended its side, for tests that do not ask about that time.
  static var closingSoon: Self {
    var configuration = Self()
    configuration.halfClosedTimeout = .milliseconds(1)
    return configuration
  }
}

/// What a connection received, and how it ended.
final class Record {
  private(set) var bytes: [UInt8] = []
  private(set) var didEnd = false
  private(set) var reasons: [Connection.CloseReason] = []

  var text: String { String(decoding: bytes, as: UTF8.self) }

  /// Takes all of a connection's handlers but `onDrained`.
  ///
  /// - Parameter closed: Called behind the record of the close.
  init(of connection: Connection, _ closed: @escaping () -> Void = {}) {
    connection.onReceive = { [self] _, bytes in
      XCTAssertTrue(reasons.isEmpty, "bytes behind the close")
      self.bytes += Array(bytes)
      return bytes.byteCount
    }
    connection.onEndOfInput = { [self] _ in
      XCTAssertFalse(didEnd, "the end of input twice")
      didEnd = true
    }
    connection.onClose = { [self] _, reason in
      reasons.append(reason)
      closed()
    }
  }
}

extension Array where Element == UInt8 {
  init(_ bytes: RawSpan) {
    self = unsafe bytes.withUnsafeBytes { unsafe Array($0) }
  }
}

/// Fails the test when `body` throws. `XCTAssertNoThrow` cannot stand in a handler: the compiler
/// takes the handler for one that throws.
func expectNoThrow(
  file: StaticString = #filePath, line: UInt = #line, _ body: () throws -> Void
) {
  do { try body() } catch { XCTFail("\(error)", file: file, line: line) }
}
