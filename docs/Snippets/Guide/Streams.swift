import PosixAIO
import Reactor
import SystemPackage

// What the articles of Reactor show.

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
    bytes.reduce(0) { ($0 &* 31) &+ Int($1) }  // on a helper thread, where blocking is allowed
  } _: { result in
    guard case .success(let sum) = result else { return }  // the loop ended before
    print("checksum \(sum)")  // on the loop again
  }
}
