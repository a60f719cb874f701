import Glibc
import PosixAIO
import Reactor
import SystemPackage
import TestSupport

struct OutcomesAreWrong: Error {
  let stage: String
  let errors: [Errno?]
}

struct WorkIsLost: Error {
  let stage: String
  let done: [Int]
}

/// A program that may start no thread, run as a user whom that limit binds.
///
/// Each request fails once with `EAGAIN`. When a thread is allowed, the same requests succeed. When
/// no second thread is, and the first is stuck with a pipe, they wait for it.
///
/// With the argument `offload`, a loop's blocking work instead: done all the same where no thread
/// is allowed, and by the one thread there is where no second one is.
@main
struct NoHelpers {
  static func main() throws {
    // The limit does not bind root. Where this user is none, it stays who it is.
    if getuid() == 0, setgid(65_534) != 0 || setuid(65_534) != 0 {
      print("skip: cannot become another user")
      return
    }
    let folder = try TemporaryDirectory()
    guard !CommandLine.arguments.contains("offload") else {
      try offloadWithoutThreads()
      return print("ok")
    }
    try limitProcesses(to: 0)
    try expect(.resourceTemporarilyUnavailable, "none", try runAll(in: folder, named: "none"))
    try limitProcesses(to: nil)
    try expect(nil, "some", try runAll(in: folder, named: "some"))
    try runBesideAStuckPipe(folder)
    print("ok")
  }

  static func expect(_ errno: Errno?, _ stage: String, _ errors: [Errno?]) throws {
    guard errors.count == 30, errors.allSatisfy({ $0 == errno }) else {
      throw OutcomesAreWrong(stage: stage, errors: errors)
    }
  }

  /// Starts ten reads, writes and syncs, and returns what each of their handlers was called with.
  static func start(
    on queue: CompletionQueue, in folder: TemporaryDirectory, named name: String,
    _ handler: @escaping (Errno?) -> Void
  ) throws {
    for number in 0..<10 {
      // A file for each, since a failed write lets the syncs of its file fail.
      let file = AIOFile(try folder.open("\(name)-\(number)"), queue: queue)
      try file.write(IOBuffer(copying: [1, 2, 3]), at: 0) { result, _ in handler(result.reason) }
      let other = AIOFile(try folder.open("\(name)-\(number)"), queue: queue)
      try other.read(into: IOBuffer(capacity: 3), at: 0) { result, _ in handler(result.reason) }
      try other.sync { handler($0.reason) }
    }
  }

  static func runAll(in folder: TemporaryDirectory, named name: String) throws -> [Errno?] {
    var configuration = CompletionQueue.Configuration()
    configuration.readsCacheFirst = false
    let queue = try CompletionQueue(configuration: configuration)
    var errors: [Errno?] = []
    try start(on: queue, in: folder, named: name) { errors.append($0) }
    try queue.runUntilIdle()
    return errors
  }

  static func runBesideAStuckPipe(_ folder: TemporaryDirectory) throws {
    var configuration = CompletionQueue.Configuration()
    configuration.readsCacheFirst = false
    let queue = try CompletionQueue(configuration: configuration)
    let (readEnd, writeEnd) = try FileDescriptor.pipe()
    let pipe = AIOFile(readEnd, queue: queue)
    // All helpers but one end, as this process may have no more than one thread beside this.
    try waitForHelpersToEnd()
    var pipeResults: [Int?] = []
    try pipe.read(into: IOBuffer(capacity: 1), at: 0) { result, _ in
      pipeResults.append(try? result.get())
    }
    queue.drain()
    try limitProcesses(to: 0)
    var errors: [Errno?] = []
    try start(on: queue, in: folder, named: "stuck") { errors.append($0) }
    queue.drain()
    guard errors.isEmpty else { throw OutcomesAreWrong(stage: "too early", errors: errors) }
    _ = try writeEnd.writeAll([7])
    try queue.runUntilIdle()
    try expect(nil, "stuck", errors)
    guard pipeResults == [1] else { throw OutcomesAreWrong(stage: "pipe", errors: []) }
  }

  static func offloadWithoutThreads() throws {
    let loop = try EventLoop()
    try limitProcesses(to: 0)
    var done: [Int] = []
    offload(0..<5, on: loop) { done.append($0) }
    guard done.isEmpty else { throw WorkIsLost(stage: "too early", done: done) }
    try run(loop, "none") { done == Array(0..<5) ? nil : done }
    try limitProcesses(to: nil)
    let (readEnd, writeEnd) = try FileDescriptor.pipe()
    loop.offload {
      var byte: UInt8 = 0
      _ = try? unsafe withUnsafeMutableBytes(of: &byte) { try unsafe readEnd.read(into: $0) }
      return Int(byte)
    } _: {
      if case .success(let number) = $0 { done.append(number) }
    }
    try limitProcesses(to: 0)
    offload(5..<10, on: loop) { done.append($0) }
    _ = try writeEnd.writeAll([99])
    try run(loop, "one") { done == Array(0..<5) + [99] + Array(5..<10) ? nil : done }
  }

  static func offload(
    _ numbers: Range<Int>, on loop: EventLoop, _ handler: @escaping (Int) -> Void
  ) {
    for number in numbers {
      loop.offload({ number }) {
        if case .success(let number) = $0 { handler(number) }
      }
    }
  }

  /// - Parameter missing: Nil when all is done, otherwise what is.
  static func run(_ loop: EventLoop, _ stage: String, until missing: () -> [Int]?) throws {
    guard !loop.run(until: { missing() == nil }, timeout: testDeadline) else { return }
    throw WorkIsLost(stage: stage, done: missing() ?? [])
  }

  /// Waits until this is the process's only thread, which is so a second after the last operation.
  static func waitForHelpersToEnd() throws {
    let end = ContinuousClock.now + testDeadline
    while try threadCount() > 1 {
      guard ContinuousClock.now < end else {
        throw OutcomesAreWrong(stage: "helpers stay", errors: [])
      }
      // Linux tells nobody of the end of a thread that glibc has detached.
      usleep(20_000)
    }
  }

  static func threadCount() throws -> Int {
    let file = try FileDescriptor.open(FilePath("/proc/self/stat"), .readOnly)
    defer { close(file.rawValue) }
    var bytes = [UInt8](repeating: 0, count: 1024)
    let count = try unsafe bytes.withUnsafeMutableBytes { try unsafe file.read(into: $0) }
    // Behind the name, which may hold spaces, the number of threads is the 18th field.
    let fields = String(decoding: bytes[..<count], as: UTF8.self).split(separator: ")").last
    return fields?.split(separator: " ").dropFirst(17).first.flatMap { Int($0) } ?? 1
  }

  static func limitProcesses(to count: UInt?) throws {
    var limit = rlimit()
    guard unsafe getrlimit(Int32(__RLIMIT_NPROC.rawValue), &limit) == 0 else {
      throw Errno(rawValue: errno)
    }
    limit.rlim_cur = count ?? limit.rlim_max
    guard unsafe setrlimit(Int32(__RLIMIT_NPROC.rawValue), &limit) == 0 else {
      throw Errno(rawValue: errno)
    }
  }
}

extension Result where Failure == FileError {
  var reason: Errno? {
    if case .failure(let error) = self { error.errno } else { nil }
  }
}
