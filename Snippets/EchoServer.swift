// EchoServer PORT LOG: sends each line back, and appends it to a log file.
import Glibc
import PosixAIO
import Reactor
import SystemPackage

let loop = try EventLoop()
let port = UInt16(CommandLine.arguments[1]) ?? 0
let listener = try Listener(on: loop, .loopback(port: port))

/// How many bytes are whole lines; all of them where a line does not fit in the buffer.
func wholeLineByteCount(_ bytes: RawSpan, _ connection: Connection) -> Int {
  if bytes.byteCount >= connection.configuration.inputHighWaterByteCount { return bytes.byteCount }
  let last = unsafe bytes.withUnsafeBytes { unsafe $0.lastIndex(of: UInt8(ascii: "\n")) }
  return last.map { $0 + 1 } ?? 0
}

func serve(_ connection: Connection, _ log: File) {
  connection.onReceive = { connection, bytes in
    let byteCount = wholeLineByteCount(bytes, connection)
    guard byteCount > 0 else { return 0 }  // shown again, with what comes behind it
    let lines = bytes.extracting(first: byteCount)
    do throws(Errno) {
      var entry = IOBuffer(capacity: byteCount)
      entry.append(lines)
      log.append(entry) { result, _ in
        if case .failure(let error) = result { print(error) }
      }
      try connection.write(lines)
    } catch {
      connection.abort()  // nothing of the failed call was started
    }
    if connection.isCongested { connection.pauseReceiving() }
    return byteCount
  }
  connection.onDrained = { connection in connection.resumeReceiving() }
}

File.open(
  FilePath(CommandLine.arguments[2]), .writeOnly, options: [.create, .append], on: loop
) { result in
  guard case .success(let log) = result else {
    print(result)
    return loop.stop()
  }
  listener.onConnection = { connection in serve(connection, log) }
  print("listening on \(listener.address)")
  fflush(nil)
}
loop.run(shuttingDownOn: .terminate, within: .seconds(5))
