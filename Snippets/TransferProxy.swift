// TransferProxy PORT DIRECTORY [UPSTREAM]: sends files of a directory over TCP. With the address of
// another such server, the directory is a cache: missing files are fetched from there. A client
// sends "GET name\n". The response is "OK n\n" and n bytes, or "ERROR text\n".
import Glibc
import PosixAIO
import Reactor
import SystemPackage

/// An error of the protocol, in one line.
struct TransferError: Error, CustomStringConvertible {
  let description: String
}

/// Of connections to clients and to the upstream.
func limits() -> Connection.Configuration {
  var limits = Connection.Configuration()
  limits.inputTimeout = .seconds(30)
  limits.outputTimeout = .seconds(30)
  return limits
}

extension Connection {
  /// Reads the line of a request or response, and leaves the bytes after it in the connection.
  func readMessage() async throws -> String {
    if let line = try await readLine(maximumByteCount: 4096) {
      return String(decoding: line, as: UTF8.self)
    }
    throw TransferError(description: "the peer closed the connection")
  }
}

/// The files of a directory. Only tasks of the loop call it, so it needs no executor of its own.
actor Cache {
  private let directory: Directory
  private let upstream: SocketAddress?
  private var fetches: [FilePath.Component: Task<Void, any Error>] = [:]

  init(_ directory: Directory, upstream: SocketAddress?) {
    self.directory = directory
    self.upstream = upstream
  }

  /// Opens a file, after fetching it if it is missing. The directory refuses names that lead out.
  func open(_ name: String) async throws -> File {
    do throws(FileError) {
      return try await directory.openFile(FilePath(name), .readOnly, regularOnly: true)
    } catch {
      guard error.errno == .noSuchFileOrDirectory, let upstream,
        let component = FilePath.Component(name), component.kind == .regular
      else { throw error }
      try await fetchOnce(component, from: upstream)
      return try await directory.openFile(FilePath(name), .readOnly, regularOnly: true)
    }
  }

  /// Fetches a file, or joins the fetch in progress.
  private func fetchOnce(_ name: FilePath.Component, from upstream: SocketAddress) async throws {
    // No `await` between the look-up and the entry, so there is one task for each name.
    let running = fetches[name]
    let fetch = running ?? directory.loop.startTask { try await self.fetch(name, from: upstream) }
    fetches[name] = fetch
    defer { if running == nil { fetches[name] = nil } }
    try await fetch.value
  }

  private func fetch(_ name: FilePath.Component, from upstream: SocketAddress) async throws {
    // An earlier fetch may have ended after the caller found the name missing.
    do throws(FileError) {
      _ = try await directory.status(of: FilePath(name.string))
      return
    } catch { guard error.errno == .noSuchFileOrDirectory else { throw error } }
    let loop = directory.loop
    var limits = limits()
    limits.lingerTimeout = .zero  // nothing more is expected after the response
    try await Connection.withConnection(to: upstream, on: loop, configuration: limits) {
      connection in
      try await connection.write("GET \(name)\n".utf8)
      let line = try await connection.readMessage()
      guard line.hasPrefix("OK "), let byteCount = Int64(line.dropFirst(3)), byteCount >= 0
      else { throw TransferError(description: "upstream: \(line)") }
      try await directory.withTemporaryFile { temporary in
        try await temporary.file.receive(from: connection, byteCount: byteCount, durably: true)
        try await temporary.publish(as: name)
      }
      try await directory.sync()
    }
  }
}

/// Serves one request. Throws if the client got a part of the file: the caller aborts then.
func respond(to connection: Connection, from cache: Cache) async throws {
  let file: File
  do {
    let request = try await connection.readMessage()
    guard request.hasPrefix("GET "), !request.contains("\0") else {
      throw TransferError(description: "not a request")
    }
    file = try await cache.open(String(request.dropFirst(4)))
    print(request)
  } catch {
    return try await connection.write("ERROR \(error)\n".utf8)
  }
  let byteCount = file.openingStatus.byteCount
  try await connection.write("OK \(byteCount)\n".utf8)
  guard try await file.send(0..<byteCount, to: connection) == byteCount else {
    throw TransferError(description: "the file became shorter")
  }
}

let port = UInt16(CommandLine.arguments[1]) ?? 0
let path = FilePath(CommandLine.arguments[2])
let upstream = CommandLine.arguments.dropFirst(3).first.flatMap { SocketAddress($0) }
precondition(upstream != nil || CommandLine.arguments.count < 4, "UPSTREAM: as 127.0.0.1:80")

let loop = try EventLoop()
try loop.run { @Sendable loop in
  var configuration = Listener.Configuration()
  configuration.connection = limits()
  let cache = Cache(try await Directory.open(path, on: loop), upstream: upstream)
  let listener = try Listener(on: loop, .loopback(port: port), configuration: configuration)
  let end = loop.watch(.terminate) { listener.shutDown() }
  print("listening on \(listener.address)")
  fflush(nil)  // for a pipe
  for try await connection in listener.connections {
    loop.startTask {
      do {
        try await connection.closeAfter { try await respond(to: $0, from: cache) }
      } catch { print(error) }
    }
  }
  end.cancel()
}
if !loop.shutDown(within: .seconds(5)) { print("the rest was cut off") }
