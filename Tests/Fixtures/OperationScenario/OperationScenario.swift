import CPosixAIO
import Glibc
import PosixAIO
import SystemPackage
import TestSupport

/// What can only be shown in a process of its own. Runs the scenario that its argument names, and
/// prints "ok".
@main
struct OperationScenario {
  static func main() throws {
    switch CommandLine.arguments.dropFirst().first {
    case "drop": try dropTwo()
    case "drop-after-sync": try dropAfterSync()
    case "fork-after-use": try forkAfterUse()
    case "fork-before-use": try forkBeforeUse()
    case "fork-in-flight": try forkInFlight()
    default: throw Errno.invalidArgument
    }
    print("ok")
  }

  // MARK: Dropping

  static func dropTwo() throws {
    let pipe = try FileDescriptor.pipe()
    try AIORead(pipe.readEnd, offset: 0, into: IOBuffer(capacity: 1)).submit()
    try AIORead(pipe.readEnd, offset: 0, into: IOBuffer(capacity: 1)).submit()
    try expect(AIOOperation.reclaimDropped() == 2)
    // Behind them on the same descriptor.
    let last = AIORead(pipe.readEnd, offset: 0, into: IOBuffer(capacity: 1))
    try last.submit()
    try pipe.writeEnd.writeAll("abc".utf8)
    try expect(try finish(last) == 1)
    try expect(AIOOperation.reclaimDropped() == 0)
  }

  /// A sync's signal waits behind it, and that it is left to glibc is no loss. With one helper, the
  /// second write gets its turn between the two.
  static func dropAfterSync() throws {
    signal(SIGUSR2, SIG_IGN)
    caio_set_thread_limit(1)
    let first = try BlockedWrite()
    let pipe = try FileDescriptor.pipe()
    let sync = AIOFsync(pipe.readEnd, notification: .signal(number: SIGUSR2, value: 0))
    try sync.submit()
    let second = try BlockedWrite()
    try first.release()
    do {
      try finish(sync)
    } catch Errno.invalidArgument {
      // A pipe cannot be synced.
    }
    try expect(AIOOperation.reclaimDropped() == 1)
    try AIORead(pipe.readEnd, offset: 0, into: IOBuffer(capacity: 1)).submit()
    try second.release()
  }

  // MARK: Forking

  static func forkAfterUse() throws {
    let folder = try TemporaryDirectory()
    let write = AIOWrite(try folder.open("file"), offset: 0, IOBuffer(copying: [1, 2, 3]))
    try write.submit()
    try expect(try finish(write) == 3)
    try inForkedChild {
      do {
        try write.submit()
      } catch Errno.notSupported {
        return !write.isInProgress
      }
      return false
    }
    try write.submit()
    try expect(try finish(write) == 3)
  }

  static func forkBeforeUse() throws {
    let folder = try TemporaryDirectory()
    let write = AIOWrite(try folder.open("file"), offset: 0, IOBuffer(copying: [1, 2, 3]))
    try inForkedChild {
      try write.submit()
      return try finish(write) == 3
    }
    try write.submit()
    try expect(try finish(write) == 3)
  }

  static func forkInFlight() throws {
    let pipe = try FileDescriptor.pipe()
    let read = AIORead(pipe.readEnd, offset: 0, into: IOBuffer(capacity: 1))
    try read.submit()
    try inForkedChild {
      do {
        try AIOOperation.suspend([read])
      } catch Errno.notSupported {
        return read.isInProgress
      }
      return false
    }
    try pipe.writeEnd.writeAll([1])
    try expect(try finish(read) == 1)
  }

  /// Runs `body` in a child made by fork(2), which Swift does not let one call, and waits for it.
  static func inForkedChild(_ body: () throws -> Bool) throws {
    typealias Fork = @convention(c) () -> pid_t
    guard let symbol = unsafe dlsym(nil, "fork") else { throw Errno.noFunction }
    let child = unsafe unsafeBitCast(symbol, to: Fork.self)()
    if child == 0 { endChild(body) }
    try expect(try exitStatus(of: child) == 0)
  }

  static func endChild(_ body: () throws -> Bool) {
    // A deadline, and no way out through the parent's code.
    alarm(UInt32(testDeadline.components.seconds))
    let isRight = (try? body()) ?? false
    _exit(isRight ? 0 : 1)
  }

  static func exitStatus(of child: pid_t) throws -> Int32 {
    var status: Int32 = 0
    guard unsafe waitpid(child, &status, 0) == child else { throw Errno(rawValue: errno) }
    return status
  }

  // MARK: -

  static func finish<Operation: AIO>(_ operation: Operation) throws -> Operation.Output {
    while operation.error() == .nowInProgress {
      try AIOOperation.suspend([operation], timeout: testDeadline)
    }
    return try operation.takeResult()
  }

  static func expect(_ condition: Bool, line: Int = #line) throws {
    guard condition else { throw Unexpected(line: line) }
  }
}

/// A write that keeps a helper busy until it is released.
struct BlockedWrite {
  private let pipe: (readEnd: FileDescriptor, writeEnd: FileDescriptor)
  private let write: AIOWrite

  init() throws {
    pipe = try FileDescriptor.pipe()
    // More than a pipe holds.
    let bytes = [UInt8](repeating: 0, count: 1 << 20)
    write = AIOWrite(pipe.writeEnd, offset: 0, IOBuffer(copying: bytes))
    try write.submit()
  }

  func release() throws {
    var rest = write.byteCount
    while rest > 0 {
      rest -= try unsafe withUnsafeTemporaryAllocation(byteCount: rest, alignment: 1) {
        try unsafe pipe.readEnd.read(into: $0)
      }
    }
    _ = try OperationScenario.finish(write)
  }
}

struct Unexpected: Error {
  let line: Int
}
