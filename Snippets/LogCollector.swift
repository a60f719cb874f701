// LogCollector PORT LOG: appends the lines of all clients, with their addresses, to one file.
// SIGHUP reopens the file; SIGTERM and SIGINT end the program after the clients' last lines.
import Glibc
import PosixAIO
import Reactor
import SystemPackage

/// Everything here runs on the loop's thread, the handlers of signals and timers too.
actor LogCollector: LoopActor {
  private static let clientLimit = 200
  private static let drainTimeout = Duration.seconds(5)
  private static let newline = UInt8(ascii: "\n")

  let loop: EventLoop
  private let path: FilePath
  private let directory: Directory
  private let listener: Listener
  private let writer: FileWriter
  private var clients: [ObjectIdentifier: Connection] = [:]
  private var isEnding = false
  private var clientCount = 0
  private var lineCount = 0

  init(port: UInt16, log path: FilePath, on loop: EventLoop) async throws {
    self.loop = loop
    self.path = path
    let parent = FilePath(".").pushing(path.removingLastComponent())
    directory = try await Directory.open(parent, on: loop)
    let file = try await File.open(path, .writeOnly, options: [.create, .append], on: loop)
    try await directory.sync()  // the name of a new file is durable, too
    writer = FileWriter(file)
    var configuration = Listener.Configuration()
    configuration.connectionLimit = Self.clientLimit  // more clients wait in the kernel's queue
    listener = try Listener(on: loop, .any(port: port), configuration: configuration)
  }

  /// Collects until a signal ends it. Throws the first error of the log file, which ends it too.
  func run() async throws {
    // A signal that arrives while the file is being reopened causes one more reopening.
    let hangUps = loop.signals(.hangUp)
    let reopening = loop.startTask { for await _ in hangUps { await self.reopen() } }
    for signal in [POSIXSignal.terminate, .interrupt] { loop.watch(signal) { self.end() } }
    let flushes = loop.schedule(every: .seconds(1)) { self.flush() }
    report("listening on \(listener.address)")
    try await withThrowingDiscardingTaskGroup { group in
      for try await connection in listener.connections {
        group.addTask { await self.collect(from: connection) }
      }
    }
    flushes.cancel()
    reopening.cancel()
    await reopening.value
    try await writer.close(durably: true)
    report("\(lineCount) lines from \(clientCount) clients")
  }

  private func collect(from connection: Connection) async {
    clientCount += 1
    clients[ObjectIdentifier(connection)] = connection
    defer { clients[ObjectIdentifier(connection)] = nil }
    if isEnding { connection.shutdownOutput() }
    do {
      try await connection.closeAfter { try await appendLines(of: $0) }
    } catch is FileError {
      endAtOnce()
    } catch {
      report("\(error)")
    }
  }

  private func appendLines(of connection: Connection) async throws {
    let prefix = Array("\(connection.peerAddress) ".utf8)
    while let line = try await connection.readLine() {
      try await append(prefix + line + [Self.newline])
    }
  }

  /// Waits while the writer's buffer is full. The client is not read meanwhile, so TCP holds it up.
  private func append(_ line: [UInt8]) async throws(FileError) {
    try await writer.write(line)
    lineCount += 1
  }

  private func flush() {
    writer.flush(durably: true) { result in
      if case .failure = result { self.endAtOnce() }
    }
  }

  private func reopen() async {
    do {
      try await writer.reopen(path)
      try await directory.sync()
      report("reopened \(path)")
    } catch {
      report("\(error)")  // The writer continues with the old file, or its next flush fails.
    }
  }

  /// Stops accepting, tells the clients by the end of the output, and cuts off those that continue.
  private func end() {
    if isEnding { return }
    isEnding = true
    listener.shutDown()
    for client in clients.values { client.shutdownOutput() }
    loop.schedule(after: Self.drainTimeout) { self.endAtOnce() }
  }

  /// Drops the lines that have not been read, and ends.
  private func endAtOnce() {
    end()
    for client in clients.values { client.abort() }
  }

  private func report(_ text: String) {
    print(text)
    fflush(nil)
  }
}

do {
  let port = UInt16(CommandLine.arguments[1]) ?? 0
  let log = FilePath(CommandLine.arguments[2])
  try EventLoop.run { try await LogCollector(port: port, log: log, on: $0).run() }
} catch {
  print(error)
  exit(1)
}
