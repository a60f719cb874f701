internal import CPeers
internal import Glibc
internal import PosixAIO
internal import Reactor
internal import SystemPackage

/// A loop that sends back what it gets, as a user writes it, and may read files meanwhile.
final class EchoServer {
  private let loop: EventLoop
  private let listener: Listener
  private let client: Int32
  private var idleClients: [Int32] = []
  private var connections: [Connection] = []
  private var hasEnded = false

  /// - Parameter idleCount: The connections that are open beside the one that is used.
  init(idleCount: Int = 0) throws {
    loop = try EventLoop()
    var configuration = Listener.Configuration()
    configuration.connectionLimit = 20_000
    listener = try Listener(on: loop, .loopback(port: 0), configuration: configuration)
    client = try Self.connect(to: listener)
    listener.onConnection = { [unowned self] connection in accept(connection) }
    try addIdle(idleCount)
  }

  deinit {
    for client in [client] + idleClients { Glibc.close(client) }
  }

  /// The heap that the connections take, those of the clients' sockets being the kernel's.
  ///
  /// Each is used once before it is idle.
  static func heapBytesPerConnection(count: Int) throws -> Double {
    let server = try EchoServer()
    server.loop.run(until: { server.connections.count == 1 })
    // A first one, behind which the loop has what it keeps for all.
    try server.addIdle(1)
    try server.useIdleOnes()
    let before = bench_heap_bytes()
    try server.addIdle(1 + count)
    try server.useIdleOnes()
    let after = bench_heap_bytes()
    server.close()
    return Double(after - before) / Double(count)
  }

  /// Has a client send message after message.
  ///
  /// - Parameters:
  ///   - flood: What the loop reads meanwhile.
  ///   - isOnOneProcessor: Whether client and loop share one, so that nobody waits for another one
  ///     to wake up.
  ///   - seconds: How long.
  /// - Returns: How long each message took, there and back.
  func measure(beside flood: Job?, isOnOneProcessor: Bool, seconds: Double) throws -> Latencies {
    if isOnOneProcessor { try stayOnProcessor(true) }
    defer { if isOnOneProcessor { try? stayOnProcessor(false) } }
    let reads = try flood.map { try ReadFlood($0, on: loop) }
    let nanoseconds = Int64(seconds * 1e9)
    let latencies = try Latencies(nanoseconds: nanoseconds, on: client) {
      loop.run(until: { hasEnded })
    }
    try reads?.finish()
    close()
    return latencies
  }

  private func accept(_ connection: Connection) {
    connections.append(connection)
    connection.onReceive = { connection, bytes in
      do throws(Errno) { try connection.write(bytes) } catch { connection.abort() }
      return bytes.byteCount
    }
    connection.onClose = { [unowned self] _, _ in hasEnded = true }
  }

  private func addIdle(_ count: Int) throws {
    // Fewer than the kernel holds for a listener, or connect(2) would wait for this thread.
    let batch = 100
    while idleClients.count < count {
      for _ in 0..<min(batch, count - idleClients.count) {
        idleClients.append(try Self.connect(to: listener))
      }
      loop.run(until: { connections.count == idleClients.count + 1 })
    }
  }

  private func useIdleOnes() throws {
    let message = [UInt8](repeating: 1, count: Int(BENCH_MESSAGE_SIZE))
    for client in idleClients {
      guard unsafe send(client, message, message.count, 0) == message.count else {
        throw Errno(rawValue: errno)
      }
    }
    for client in idleClients {
      var answer = pollfd(fd: client, events: Int16(POLLIN), revents: 0)
      loop.run(until: { unsafe poll(&answer, 1, 0) == 1 })
    }
  }

  private func close() {
    listener.close()
    for connection in connections { connection.abort() }
    connections = []
    loop.close()
  }

  private func stayOnProcessor(_ stays: Bool) throws {
    guard bench_stay_on_processor(stays) == 0 else { throw Errno(rawValue: errno) }
  }

  private static func connect(to listener: Listener) throws -> Int32 {
    let client = bench_connect(Int32(listener.address.port))
    guard client >= 0 else { throw Errno(rawValue: errno) }
    return client
  }
}

/// How long messages took, there and back.
struct Latencies {
  /// More than can be exchanged in a second and a half.
  private static let limit = 1 << 18

  private let sorted: [Int64]

  /// Has a client on a connected socket exchange messages while `body` runs.
  init(nanoseconds: Int64, on client: Int32, while body: () -> Void) throws {
    let noted = UnsafeMutablePointer<Int64>.allocate(capacity: Self.limit)
    defer { unsafe noted.deallocate() }
    guard
      let echo = unsafe bench_echo_start(
        client, nanoseconds / 5, nanoseconds, noted, Int64(Self.limit))
    else { throw Errno(rawValue: errno) }
    body()
    var count: Int64 = 0
    let error = unsafe bench_echo_finish(echo, &count)
    guard error == 0, count > 0 else { throw Errno(rawValue: error == 0 ? EIO : error) }
    sorted = unsafe UnsafeBufferPointer(start: noted, count: Int(count)).sorted()
  }

  /// The latency that this part of the messages did not exceed, in microseconds.
  func quantile(_ part: Double) -> Double {
    Double(sorted[min(sorted.count - 1, Int(part * Double(sorted.count)))]) / 1e3
  }
}

/// Random reads of a file, always as many at a time, until they are told to end.
private struct ReadFlood {
  private let loop: EventLoop
  private let files: [File]
  private let requests: Requests<File>

  init(_ job: Job, on loop: EventLoop) throws {
    self.loop = loop
    files = try loop.open(job, .readOnly)
    var job = job
    // It ends when it is told to; half of what the clock can say leaves it room to add.
    job.nanoseconds = .max / 2
    requests = Requests(job, files)
    requests.startReads()
  }

  /// Ends what is under way, and says whether all went well.
  func finish() throws {
    requests.stop()
    loop.run(until: { requests.pendingCount == 0 })
    loop.close(files)
    guard requests.meter.sample.failed == 0 else { throw Errno.ioError }
  }
}
