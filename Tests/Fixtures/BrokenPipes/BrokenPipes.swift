import Glibc
import PosixAIO
import Reactor
import ReactorHTTP
import SystemPackage
import TestSupport

struct Unexpected: Error {
  let text: String
}

func expect(_ condition: Bool, _ text: String) throws {
  guard condition else { throw Unexpected(text: text) }
}

/// A program for which SIGPIPE is fatal, that writes to peers that are gone in every way that the
/// package has, and lives. With its argument it says which: `connections`, `pump` or `http`.
@main
struct BrokenPipes {
  static func main() throws {
    signal(SIGPIPE, SIG_DFL)
    setSIGPIPE(SIG_UNBLOCK)
    let before = SignalState()
    try expect(before == SignalState(isBlocked: false, isPending: false), "\(before)")
    switch CommandLine.arguments.last {
    case "connections": try writeByConnections()
    case "pump":
      try writeByPump()
      // Whatever was pending and blocked before stays so.
      setSIGPIPE(SIG_BLOCK)
      pthread_kill(pthread_self(), SIGPIPE)
      try writeByPump()
      try expect(SignalState() == SignalState(isBlocked: true, isPending: true), "not kept")
      takeSIGPIPE()
    case "http":
      try writeByHTTPServer()
      try keepWhatWasPending()
    default: try expect(false, "no such scenario")
    }
    let after = SignalState()
    try expect(after == before, "\(after)")
    print("ok")
  }

  // MARK: Connections

  static func writeByConnections() throws {
    let loop = try EventLoop()
    for writes in [1, 2, 200] {
      let (connection, peer) = try adoptedPair(on: loop)
      close(peer)
      var reason: Connection.CloseReason?
      connection.onClose = { reason = $1 }
      // Every other write is a piece of its own.
      for _ in 0..<writes {
        try connection.write([1, 2, 3])
        try connection.write(IOBuffer(copying: [UInt8](repeating: 4, count: 5000)))
        if writes == 1 { break }
      }
      loop.run(until: { reason != nil }, timeout: testDeadline)
      try expect(
        reason == .failed(.brokenPipe) || reason == .failed(.connectionReset),
        "\(writes) writes: \(String(describing: reason))")
    }
    try writeToAResetConnection(loop)
    loop.close()
  }

  private static func writeToAResetConnection(_ loop: EventLoop) throws {
    let listener = try Listener(on: loop, .loopback(port: 0))
    var reason: Connection.CloseReason?
    listener.onConnection = { connection in
      connection.onClose = { reason = $1 }
      loop.schedule(every: .milliseconds(1)) {
        // Refused once it is closed.
        try? connection.write("x".utf8)
        try? connection.write(IOBuffer(copying: [UInt8](repeating: 4, count: 5000)))
      }
    }
    Connection.connect(to: listener.address, on: loop) { result in
      (try? result.get())?.abort(resetting: true)
    }
    loop.run(until: { reason != nil }, timeout: testDeadline)
    guard case .failed? = reason else { throw Unexpected(text: "\(String(describing: reason))") }
    listener.close()
  }

  private static func adoptedPair(on loop: EventLoop) throws -> (Connection, peer: Int32) {
    var ends: [Int32] = [-1, -1]
    try expect(
      unsafe socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0, "socketpair")
    return (try Connection(adopting: FileDescriptor(rawValue: ends[0]), on: loop), ends[1])
  }

  // MARK: A pump

  static func writeByPump() throws {
    let loop = try EventLoop()
    let folder = try TemporaryDirectory()
    try folder.write([UInt8](repeating: 1, count: 5_000_000), to: "file")
    var opened: File?
    File.open(folder.path.appending("file"), .readOnly, on: loop) { opened = try? $0.get() }
    loop.run(until: { opened != nil }, timeout: testDeadline)
    guard let file = opened else { throw Unexpected(text: "no file") }
    let (connection, peer) = try adoptedPair(on: loop)
    var failed: Bool?
    file.send(to: connection) { result in
      if case .failure = result { failed = true } else { failed = false }
    }
    // Both ends are filled, then one goes.
    loop.run(until: { connection.sentByteCount > 0 }, timeout: testDeadline)
    close(peer)
    loop.run(until: { failed != nil }, timeout: testDeadline)
    try expect(failed == true, "the pump did not fail")
    var isClosed = false
    file.close { _ in isClosed = true }
    loop.run(until: { isClosed }, timeout: testDeadline)
    loop.close()
  }

  // MARK: An HTTP server

  static func writeByHTTPServer() throws {
    let loop = try EventLoop()
    try answerAClientThatIsGone(on: loop)
    loop.close()
  }

  /// Whatever was pending and blocked before stays so.
  static func keepWhatWasPending() throws {
    setSIGPIPE(SIG_BLOCK)
    pthread_kill(pthread_self(), SIGPIPE)
    let loop = try EventLoop()
    try answerAClientThatIsGone(on: loop)
    try expect(SignalState() == SignalState(isBlocked: true, isPending: true), "not kept")
    loop.close()
    takeSIGPIPE()
  }

  /// Takes it, so that it does not end the process.
  static func takeSIGPIPE() {
    signal(SIGPIPE, SIG_IGN)
    setSIGPIPE(SIG_UNBLOCK)
    signal(SIGPIPE, SIG_DFL)
  }

  private static func answerAClientThatIsGone(on loop: EventLoop) throws {
    var delivery: HTTPServer.ResponseWriter.Delivery?
    var client: Client?
    let before = SignalState()
    let server = HTTPServer(on: loop) { _, response in
      response.start(.ok, contentLength: nil)
      response.write(IOBuffer(copying: [1, 2, 3])) { _, _ in
        // From now on every write breaks.
        cutOutput(toClientAt: client?.localPort ?? 0)
        response.write(IOBuffer(copying: [4, 5, 6])) { end, _ in
          delivery = end
          response.end()
        }
      }
    }
    let address = try server.listen(host: "127.0.0.1", port: 0)
    client = try Client(port: address.port)
    try client?.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    loop.run(until: { delivery != nil }, timeout: testDeadline)
    try expect(SignalState() == before, "the signal was touched")
    withExtendedLifetime(server) {}
    guard case .connectionLost? = delivery else {
      throw Unexpected(text: "\(String(describing: delivery))")
    }
  }

  /// Ends the sending direction of the server's socket, by its peer's port.
  private static func cutOutput(toClientAt port: UInt16) {
    for descriptor in Int32(3)..<256 {
      var name = sockaddr_in()
      var length = socklen_t(MemoryLayout<sockaddr_in>.size)
      let result = unsafe withUnsafeMutablePointer(to: &name) {
        unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          unsafe getpeername(descriptor, $0, &length)
        }
      }
      if result == 0, UInt16(bigEndian: name.sin_port) == port {
        shutdown(descriptor, Int32(SHUT_WR))
      }
    }
  }
}

/// What this thread and the process do about SIGPIPE.
struct SignalState: Equatable {
  let isDefault: Bool
  let isBlocked: Bool
  let isPending: Bool

  init(isBlocked: Bool, isPending: Bool) {
    (isDefault, self.isBlocked, self.isPending) = (true, isBlocked, isPending)
  }

  init() {
    var (mask, pending) = (sigset_t(), sigset_t())
    var action = sigaction()
    unsafe pthread_sigmask(SIG_BLOCK, nil, &mask)
    unsafe sigpending(&pending)
    unsafe sigaction(SIGPIPE, nil, &action)
    isDefault = unsafe action.__sigaction_handler.sa_handler == nil
    isBlocked = unsafe sigismember(&mask, SIGPIPE) == 1
    isPending = unsafe sigismember(&pending, SIGPIPE) == 1
  }
}

func setSIGPIPE(_ how: Int32) {
  var set = sigset_t()
  unsafe sigemptyset(&set)
  unsafe sigaddset(&set, SIGPIPE)
  unsafe pthread_sigmask(how, &set, nil)
}
