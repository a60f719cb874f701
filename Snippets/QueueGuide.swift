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

/// A record with its length in front.
func record(_ text: String) -> IOBuffer {
  var buffer = IOBuffer(capacity: 4 + text.utf8.count)
  buffer.appendInteger(UInt32(text.utf8.count), endianness: .little)
  buffer.append { output in
    for byte in text.utf8 { output.append(byte) }
  }
  return buffer
}

/// nil if the buffer does not hold the whole record.
func text(ofRecordIn buffer: borrowing IOBuffer) -> String? {
  guard let length = buffer.integer(at: 0, endianness: .little, as: UInt32.self),
    buffer.count >= 4 + Int(length)
  else { return nil }
  return String(decoding: Array(buffer)[4..<4 + Int(length)], as: UTF8.self)
}

func readSoon(_ file: AIOFile, at offset: Int64) throws(Errno) {
  try file.read(into: IOBuffer(capacity: 4096), at: offset, timeout: .milliseconds(100)) {
    result, buffer in
    switch result {
    case .success: print(text(ofRecordIn: buffer) ?? "no record", terminator: "")
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
try append(record("a record\n"), to: log) { result in
  print("durable: \(result)")
  do { try readSoon(log, at: 0) } catch { print(error) }
  log.close()
}
var source = pollfd(fd: queue.descriptor.rawValue, events: Int16(POLLIN), revents: 0)
while queue.unfinishedCount > 0 {
  guard unsafe poll(&source, 1, -1) >= 0 else { continue }  // interrupted by a signal
  queue.drain()
}
