import PosixAIO
import SystemPackage

// What the articles of PosixAIO show.

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
