// AsyncEchoServer PORT LOG: sends each line back, and appends it to a log file.
import Glibc
import PosixAIO
import Reactor
import SystemPackage

/// Everything here runs on the loop's thread; the tasks take turns at each `await`.
func serve(_ connection: Connection, _ log: File) async throws {
  for try await line in connection.lines() {
    let record = "\(line)\n".utf8
    try await log.append(IOBuffer(copying: record))
    try await connection.write(record)  // waits while the peer does not read
  }
}

try EventLoop.run { loop in
  let port = UInt16(CommandLine.arguments[1]) ?? 0
  let path = FilePath(CommandLine.arguments[2])
  let listener = try Listener(on: loop, .loopback(port: port))
  let end = loop.watch(.terminate) { listener.shutDown() }
  print("listening on \(listener.address)")
  fflush(nil)
  try await File.withFile(path, .writeOnly, options: [.create, .append], on: loop) { log in
    try await listener.serve(endingWithin: .seconds(5)) { connection in
      try await serve(connection, log)
    } onError: { _, error in
      print(error)  // one line: the error of the peer or the file
    }
  }
  end.cancel()
}
