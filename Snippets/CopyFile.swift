// CopyFile SOURCE TARGET: the next block is read while the last one is written.
import PosixAIO
import SystemPackage

/// Waits for an operation and takes its result.
func finish<Operation: AIO>(_ operation: Operation) throws -> Operation.Output {
  while operation.error() == .nowInProgress {
    do { try AIOOperation.suspend([operation]) } catch Errno.interrupted {}  // by a signal handler
  }
  return try operation.takeResult()
}

let blockByteCount = 1 << 16
let source = try FileDescriptor.open(FilePath(CommandLine.arguments[1]), .readOnly)
let target = try FileDescriptor.open(
  FilePath(CommandLine.arguments[2]), .writeOnly, options: [.create, .truncate],
  permissions: [.ownerReadWrite, .groupRead, .otherRead])

var offset: Int64 = 0
var spare: IOBuffer? = IOBuffer(capacity: blockByteCount)
var read = AIORead(source, offset: offset, into: IOBuffer(capacity: blockByteCount))
try read.submit()
while case let count = try finish(read), count > 0, let block = read.takeBuffer() {
  let write = AIOWrite(target, offset: offset, block)
  offset += Int64(count)
  read = AIORead(source, offset: offset, into: spare.take() ?? IOBuffer(capacity: blockByteCount))
  try write.submit()
  try read.submit()
  guard try finish(write) == count else { throw Errno.noSpace }  // or a limit of the file size
  spare = write.takeBuffer()  // two buffers go around
}
try AIOOperation.close(target)
