// PollLoop: prints the files whose paths come by the standard input, from a poll(2) loop.
import Glibc
import PosixAIO
import SystemPackage

func printFile(_ path: FilePath, _ queue: CompletionQueue) {
  do {
    let file = AIOFile(try FileDescriptor.open(path, .readOnly), path: path, queue: queue)
    try file.read(into: IOBuffer(capacity: 65536), at: 0) { result, buffer in
      switch result {
      case .success: print(String(decoding: buffer), terminator: "")
      case .failure(let error): print(error)  // operation, path and reason in one line
      }
      file.close()
    }
  } catch {
    print("\(path): \(error)")  // nothing was started
  }
}

/// Takes all whole lines that have come; false at the end of the input.
func readPaths(_ rest: inout [UInt8], _ body: (FilePath) -> Void) throws -> Bool {
  var bytes = [UInt8](repeating: 0, count: 4096)
  let count = try unsafe bytes.withUnsafeMutableBytes {
    try unsafe FileDescriptor.standardInput.read(into: $0)
  }
  rest += bytes.prefix(count)
  while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
    body(FilePath(String(decoding: rest[..<end], as: UTF8.self)))
    rest.removeSubrange(...end)
  }
  return count > 0
}

let queue = try CompletionQueue()
var rest: [UInt8] = []
var sources = [STDIN_FILENO, queue.descriptor.rawValue].map {
  pollfd(fd: $0, events: Int16(POLLIN), revents: 0)
}
while sources[0].fd >= 0 || queue.unfinishedCount > 0 {
  // A signal may interrupt it, the queue's own as well.
  guard unsafe poll(&sources, nfds_t(sources.count), -1) >= 0 else { continue }
  if sources[1].revents != 0 { queue.drain() }  // calls the handlers, all on this thread
  if sources[0].revents != 0, try !readPaths(&rest, { printFile($0, queue) }) {
    sources[0].fd = -1  // poll(2) skips it
  }
  fflush(nil)
}
