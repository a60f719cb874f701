// StreamsGuide DIRECTORY: what the articles of Reactor show, one piece after the other.
import PosixAIO
import Reactor
import SystemPackage

func save(_ settings: String, at path: FilePath, on loop: EventLoop) async throws {
  try await File.replace(path, with: IOBuffer(copying: settings.utf8), on: loop)
}

func printLines(of path: FilePath, on loop: EventLoop) async throws {
  try await File.withFile(path, .readOnly, on: loop) { file in
    for try await line in file.lines() {
      print(line)
    }
  }
}

func upload(from connection: Connection, to path: FilePath) async throws {
  let options: FileDescriptor.OpenOptions = [.create, .truncate]
  try await File.withFile(path, .writeOnly, options: options, on: connection.loop) { file in
    try await file.receive(from: connection, durably: true)
  }
}

func download(_ path: FilePath, to connection: Connection) async throws {
  try await File.withFile(path, .readOnly, on: connection.loop) { file in
    try await file.send(to: connection)
  }
}

func log(_ line: String, _ writer: FileWriter) -> Bool {
  do throws(Errno) {
    try writer.write(line.utf8)
    return true
  } catch {
    return false  // EAGAIN: the disk is a whole buffer behind
  }
}

func checksum(of bytes: [UInt8], on loop: EventLoop) {
  loop.offload {
    bytes.reduce(0) { ($0 &* 31) &+ Int($1) }  // on a helper thread, which may block
  } _: { result in
    guard case .success(let sum) = result else { return }  // the loop has ended
    print("checksum \(sum)")  // on the loop again
  }
}

/// A connection to a listener of our own, and its other side.
func connectedPair(on loop: EventLoop) async throws -> (Connection, Connection) {
  let listener = try Listener(on: loop, .loopback(port: 0))
  let client = try await Connection.connect(to: listener.address, on: loop)
  var clients = listener.connections.makeAsyncIterator()
  guard let server = try await clients.next() else { throw Errno.connectionReset }
  return (client, server)
}

try EventLoop.run { loop in
  let directory = FilePath(CommandLine.arguments[1])
  let path = directory.appending("settings")
  try await save("one\ntwo\n", at: path, on: loop)
  try await printLines(of: path, on: loop)

  let (client, server) = try await connectedPair(on: loop)
  try await download(path, to: server)
  server.shutdownOutput()
  try await upload(from: client, to: directory.appending("copy"))
  try await printLines(of: directory.appending("copy"), on: loop)
  await client.close()
  await server.close()

  let file = try await File.open(path, .writeOnly, on: loop)
  let writer = FileWriter(file)
  print("accepted: \(log("three\n", writer))")
  try await writer.close(durably: true)
  checksum(of: [1, 2, 3], on: loop)
}
