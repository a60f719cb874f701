import PosixAIO
import Reactor
import SystemPackage

// What the articles of Reactor show.

func save(
  _ settings: String, at path: FilePath, on loop: EventLoop
) async throws {
  try await File.replace(path, with: IOBuffer(copying: settings.utf8), on: loop)
}

func printLines(of path: FilePath, on loop: EventLoop) async throws {
  let file = try await File.open(path, .readOnly, on: loop)
  for try await line in file.lines() {
    print(line)
  }
  try await file.close()
}

func upload(
  from connection: Connection, to path: FilePath
) async throws {
  let file = try await File.open(
    path, .writeOnly, options: [.create, .truncate], on: connection.loop)
  try await file.receive(from: connection, durably: true)
  try await file.close()
}

func download(
  _ path: FilePath, to connection: Connection
) async throws {
  let file = try await File.open(path, .readOnly, on: connection.loop)
  try await file.send(to: connection)
  try await file.close()
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
    bytes.reduce(0) { ($0 &* 31) &+ Int($1) }  // on a helper thread, where blocking is allowed
  } _: { result in
    guard case .success(let sum) = result else { return }  // the loop ended before
    print("checksum \(sum)")  // on the loop again
  }
}
