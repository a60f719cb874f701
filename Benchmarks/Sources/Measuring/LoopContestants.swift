internal import CPeers
internal import Reactor
internal import PosixAIO
internal import SystemPackage

/// Our contestants as a user of the event loop writes them: a handler that makes the next request
/// with the buffer that it got back.
public enum LoopContestant {
  /// Reads random blocks.
  public static func read(_ job: Job) throws -> Sample {
    try LoopRun(job, .readOnly).run { run in
      for _ in 0..<job.depth { run.readNext(into: IOBuffer(capacity: Job.blockSize)) }
    }
  }

  /// Reads random blocks in as many tasks, each of which awaits its reads.
  public static func awaitedRead(_ job: Job) throws -> Sample {
    try LoopRun(job, .readOnly).run { run in
      for _ in 0..<job.depth { run.awaitReads() }
    }
  }

  /// Writes blocks one after the other.
  public static func write(_ job: Job) throws -> Sample {
    try LoopRun(job, .readWrite).run { run in
      for _ in 0..<job.depth { run.writeNext(.block()) }
    }
  }

  /// Appends records, each of which waits until it is durable before the next.
  public static func append(_ job: Job) throws -> Sample {
    try LoopRun(job, .readWrite).run { run in
      for _ in 0..<job.depth { Appender(run).appendNext() }
    }
  }

  /// Asks for the file to be durable, again and again.
  public static func sync(_ job: Job) throws -> Sample {
    try LoopRun(job, .readWrite).run { run in
      for _ in 0..<job.depth { run.syncNext() }
    }
  }
}

/// One of many that append to the same log.
private final class Appender {
  private let run: LoopRun
  private var record: IOBuffer? = IOBuffer(
    copying: [UInt8](repeating: 0, count: Job.recordSize))

  init(_ run: LoopRun) {
    self.run = run
  }

  /// A sync comes after every write that was accepted before it, so nothing waits in between.
  func appendNext() {
    guard let record = record.take() else { return run.refused() }
    let file = run.nextFile()
    do throws(Errno) {
      try file.write(record, at: run.takeRecordOffset()) { [self] result, record in
        self.record = consume record
        if case .failure = result { run.failedOne() }
      }
      try file.dataSync { [self] result in
        if run.synced(result) { appendNext() }
      }
    } catch { run.refused() }
  }
}

private final class LoopRun {
  private let loop: EventLoop
  private var files: [File] = []
  private let usedCount: Int
  private var requestCount = 0
  private var pendingCount: Int
  private var meter: Meter
  private var end: Int64 = 0

  init(_ job: Job, _ mode: FileDescriptor.AccessMode) throws {
    loop = try EventLoop()
    usedCount = job.usedCount
    pendingCount = job.depth
    meter = Meter(job)
    try open(job, mode)
    meter = Meter(job)
  }

  func run(_ start: (LoopRun) -> Void) throws -> Sample {
    start(self)
    loop.run()
    closeAll()
    return meter.sample
  }

  func readNext(into buffer: consuming IOBuffer) {
    do throws(Errno) {
      try nextFile().read(into: buffer, at: meter.randomOffset()) { [self] result, buffer in
        meter.read(result, buffer)
        if meter.isRunning { readNext(into: buffer) } else { ended() }
      }
    } catch { refused() }
  }

  func awaitReads() {
    loop.startTask { [self] in
      do throws(FileError) {
        var buffer = IOBuffer(capacity: Job.blockSize)
        while meter.isRunning {
          buffer = try await nextFile().read(into: buffer, at: meter.randomOffset())
          meter.read(.success(buffer.count), buffer)
        }
        ended()
      } catch { refused() }
    }
  }

  func writeNext(_ buffer: consuming IOBuffer) {
    let block = meter.sequentialBlock()
    buffer.fill(block: block)
    do throws(Errno) {
      try nextFile().write(buffer, at: block * Int64(Job.blockSize)) { [self] result, buffer in
        meter.written(result, byteCount: Job.blockSize)
        if meter.isRunning { writeNext(buffer) } else { ended() }
      }
    } catch { refused() }
  }

  func syncNext() {
    do throws(Errno) {
      try nextFile().dataSync { [self] result in
        if synced(result) { syncNext() }
      }
    } catch { refused() }
  }

  func takeRecordOffset() -> Int64 {
    defer { end += Int64(Job.recordSize) }
    return end
  }

  func failedOne() {
    meter.failedOne()
  }

  /// Counts a sync out, and says whether to go on.
  func synced(_ result: Result<Void, FileError>) -> Bool {
    guard case .success = result else {
      refused()
      return false
    }
    meter.done()
    if !meter.isRunning { ended() }
    return meter.isRunning
  }

  func nextFile() -> File {
    guard usedCount > 1 else { return files[0] }
    defer { requestCount += 1 }
    return files[requestCount % usedCount]
  }

  func refused() {
    meter.failedOne()
    ended()
  }

  private func ended() {
    pendingCount -= 1
    if pendingCount == 0 { loop.stop() }
  }

  private func open(_ job: Job, _ mode: FileDescriptor.AccessMode) throws {
    var failure: FileError?
    let options = job.isDirect ? FileDescriptor.OpenOptions(rawValue: bench_o_direct()) : []
    for _ in 0..<job.openCount {
      File.open(job.path, mode, options: options, on: loop) { [self] result in
        switch result {
        case .success(let file): files.append(file)
        case .failure(let error): failure = error
        }
        if failure != nil || files.count == job.openCount { loop.stop() }
      }
    }
    loop.run()
    if let failure { throw failure }
  }

  private func closeAll() {
    var openCount = files.count
    for file in files {
      file.close { [loop] _ in
        openCount -= 1
        if openCount == 0 { loop.stop() }
      }
    }
    files = []
    loop.run()
  }
}
