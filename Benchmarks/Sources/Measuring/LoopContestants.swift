internal import CPeers
internal import PosixAIO
internal import Reactor
internal import SystemPackage

/// Our contestants as a user of the event loop writes them.
public enum LoopContestant {
  /// Reads random blocks.
  public static func read(_ job: Job) throws -> Sample {
    try run(job, .readOnly) { requests, _ in requests.startReads() }
  }

  /// Reads random blocks in as many tasks, each of which awaits its reads.
  public static func awaitedRead(_ job: Job) throws -> Sample {
    try run(job, .readOnly) { $0.startAwaitedReads(on: $1) }
  }

  /// Writes blocks one after the other.
  public static func write(_ job: Job) throws -> Sample {
    try run(job, .readWrite) { requests, _ in requests.startWrites() }
  }

  /// Writes blocks one after the other, in as many tasks, each of which awaits its writes.
  public static func awaitedWrite(_ job: Job) throws -> Sample {
    try run(job, .readWrite) { $0.startAwaitedWrites(on: $1) }
  }

  /// Appends records, each of which waits until it is durable before the next.
  public static func append(_ job: Job) throws -> Sample {
    try run(job, .readWrite) { requests, _ in requests.startAppends() }
  }

  /// Asks for the file to be durable, again and again.
  public static func sync(_ job: Job) throws -> Sample {
    try run(job, .readWrite) { requests, _ in requests.startSyncs() }
  }

  private static func run(
    _ job: Job, _ mode: FileDescriptor.AccessMode,
    _ start: (Requests<File>, EventLoop) -> Void
  ) throws -> Sample {
    let loop = try EventLoop()
    let files = try loop.open(job, mode)
    let requests = Requests(job, files) { loop.stop() }
    start(requests, loop)
    loop.run()
    loop.close(files)
    return requests.meter.sample
  }
}

extension EventLoop {
  /// Opens a job's file as often as the job says, and waits for it.
  func open(_ job: Job, _ mode: FileDescriptor.AccessMode) throws -> [File] {
    let options: FileDescriptor.OpenOptions = job.isDirect ? .directIO : []
    var results: [Result<File, FileError>] = []
    for _ in 0..<job.openCount {
      File.open(job.path, mode, options: options, on: self) { results.append($0) }
    }
    run(until: { results.count == job.openCount })
    return try results.map { try $0.get() }
  }

  /// Closes files, and waits for it.
  func close(_ files: [File]) {
    var openCount = files.count
    for file in files {
      file.close { _ in openCount -= 1 }
    }
    run(until: { openCount == 0 })
  }
}

extension Requests where Target == File {
  fileprivate func startAwaitedReads(on loop: EventLoop) {
    startTasks(on: loop) { [self] () async throws(FileError) in
      var buffer = IOBuffer(capacity: Job.blockSize)
      while meter.isRunning {
        buffer = try await nextFile().read(into: buffer, at: meter.randomOffset())
        meter.read(.success(buffer.count), buffer)
      }
    }
  }

  fileprivate func startAwaitedWrites(on loop: EventLoop) {
    startTasks(on: loop) { [self] () async throws(FileError) in
      var buffer = IOBuffer.block()
      while meter.isRunning {
        let block = meter.sequentialBlock()
        buffer.fill(block: block)
        buffer = try await nextFile().write(buffer, at: block * Int64(Job.blockSize))
        meter.done()
      }
    }
  }

  private func startTasks(
    on loop: EventLoop,
    _ body: nonisolated(nonsending) @escaping () async throws(FileError) -> Void
  ) {
    for _ in 0..<depth {
      loop.startTask { [self] in
        do throws(FileError) {
          try await body()
          ended()
        } catch { refused() }
      }
    }
  }

  fileprivate func startSyncs() {
    for _ in 0..<depth { syncNext() }
  }

  private func syncNext() {
    nextFile().dataSync { [self] result in
      if synced(result) { syncNext() }
    }
  }

  fileprivate func startAppends() {
    for _ in 0..<depth { Appender(self).appendNext() }
  }

  /// Counts a sync out, and says whether to go on.
  fileprivate func synced(_ result: Result<Void, FileError>) -> Bool {
    guard case .success = result else {
      refused()
      return false
    }
    meter.done()
    if !meter.isRunning { ended() }
    return meter.isRunning
  }
}

/// One of many that append to the same log.
private final class Appender {
  private let requests: Requests<File>
  private var record: IOBuffer? = IOBuffer(
    copying: [UInt8](repeating: 0, count: Job.recordSize))

  init(_ requests: Requests<File>) {
    self.requests = requests
  }

  /// A sync comes after every write that was accepted before it, so nothing waits in between.
  func appendNext() {
    guard let record = record.take() else { return requests.refused() }
    let file = requests.nextFile()
    file.write(record, at: requests.meter.recordOffset()) { [self] result, record in
      self.record = consume record
      if case .failure = result { requests.meter.failedOne() }
    }
    file.dataSync { [self] result in
      if requests.synced(result) { appendNext() }
    }
  }
}
