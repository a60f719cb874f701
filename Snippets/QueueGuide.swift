// QueueGuide LOG: what the articles of PosixAIO show; appends a record and reads it back.
import Glibc
import PosixAIO
import SystemPackage

func append(
  _ record: consuming IOBuffer, to log: AIOFile, _ done: @escaping CompletionQueue.SyncHandler
) throws(Errno) {
  try log.write(record, at: 0) { _, _ in }
  try log.dataSync(timeout: nil, done)
}

func readSoon(_ file: AIOFile, at offset: Int64) throws(Errno) {
  try file.read(into: IOBuffer(capacity: 4096), at: offset, timeout: .milliseconds(100)) {
    result, buffer in
    switch result {
    case .success: print(String(decoding: buffer), terminator: "")
    case .failure(let error) where error.errno == .timedOut: print("the disk is slow")
    case .failure(let error): print(error)
    }
  }
}

let path = FilePath(CommandLine.arguments[1])
let queue = try CompletionQueue()
let descriptor = try FileDescriptor.open(
  path, .readWrite, options: [.create, .append], permissions: .ownerReadWrite)
let log = AIOFile(descriptor, path: path, queue: queue)
try append(IOBuffer(copying: "a record\n".utf8), to: log) { result in
  print("durable: \(result)")
  do { try readSoon(log, at: 0) } catch { print(error) }
  log.close()
}
var source = pollfd(fd: queue.descriptor.rawValue, events: Int16(POLLIN), revents: 0)
while queue.unfinishedCount > 0 {
  guard unsafe poll(&source, 1, -1) >= 0 else { continue }  // interrupted by a signal
  queue.drain()
}
