// GuideSnippet FOLDER: what the articles show, one piece after the other.
import Glibc
import PosixAIO
import Reactor
import ReactorHTTP
import SystemPackage

/// A connection to a listener of our own, and its other side.
func connectedPair(on loop: EventLoop) async throws -> (Connection, Connection) {
  let listener = try Listener(on: loop, .loopback(port: 0))
  let client = try await Connection.connect(to: listener.address, on: loop)
  var clients = listener.connections.makeAsyncIterator()
  guard let server = try await clients.next() else { throw Errno.connectionReset }
  return (client, server)
}

func showQueue(_ folder: FilePath, on loop: EventLoop) async throws {
  let path = folder.appending("log")
  let descriptor = try FileDescriptor.open(
    path, .readWrite, options: [.create, .append], permissions: .ownerReadWrite)
  let log = AIOFile(descriptor, path: path, queue: loop.queue)
  var isOver = false
  try append(IOBuffer(copying: "a record\n".utf8), to: log) { result in
    print("durable: \(result)")
    do { try readSoon(log, at: 0) } catch { print(error) }
    log.close { _ in isOver = true }
  }
  while !isOver { await Task.yield() }
}

func showStreams(_ folder: FilePath, on loop: EventLoop) async throws {
  let path = folder.appending("settings")
  try await save("one\ntwo\n", at: path, on: loop)
  try await printLines(of: path, on: loop)

  let (client, server) = try await connectedPair(on: loop)
  try await download(path, to: server)
  server.shutdownOutput()
  try await upload(from: client, to: folder.appending("copy"))
  try await printLines(of: folder.appending("copy"), on: loop)
  await server.close()

  let file = try await File.open(path, .writeOnly, on: loop)
  let writer = FileWriter(file)
  print("accepted: \(log("three\n", writer))")
  try await writer.close(durably: true)
  checksum(of: [1, 2, 3], on: loop)
}

func showTasks(_ folder: FilePath, on loop: EventLoop) async throws {
  let paths = [folder.appending("settings"), folder.appending("journal")]
  let journal = Journal(
    try await File.open(paths[1], .writeOnly, options: [.create, .truncate], on: loop))
  try await journal.append("# first")
  // A task that is not the loop's.
  try await Task.detached { try await journal.append("second") }.value
  try await journal.close()
  let sum = try await sizes(of: paths, on: loop)
  let growth = try await growth(from: paths[0], to: paths[1], on: loop)
  let comment = try await firstComment(in: paths[1], on: loop) ?? "none"
  let same = try await Task.detached { try await sizeFromElsewhere(paths[1], loop) }.value
  print("tasks: \(sum) \(growth) \(comment) \(same)")
}

func showHTTP(_ folder: FilePath, on loop: EventLoop) async throws {
  let (server, port) = try serve(folder.appending("copy").string, on: loop)
  let client = try await Connection.connect(to: .loopback(port: port), on: loop)
  try await client.write("GET /file HTTP/1.0\r\n\r\n".utf8)
  var answer: [UInt8] = []
  for try await chunk in client.chunks { answer += chunk }
  print(String(decoding: answer.suffix(8), as: UTF8.self), terminator: "")
  server.stopAccepting()
  await client.close()
}

try EventLoop.run { loop in
  let folder = FilePath(CommandLine.arguments[1])
  try await showQueue(folder, on: loop)
  try await showStreams(folder, on: loop)
  try await showTasks(folder, on: loop)
  try await showHTTP(folder, on: loop)
}
