internal import CPeers
internal import Measuring
internal import NIOCore
internal import NIOFileSystem
internal import Synchronization

/// `NIOFileSystem` as a server uses it: as many tasks as the job says, each of which awaits its
/// calls, on the threads of Swift's own pool.
enum FileSystemContestant {
  static func measure(_ job: Job, _ work: NIOFilesCommand.Work) async throws -> Sample {
    try await withFileSystem(numberOfThreads: Pool.threadCount) { fileSystem in
      let books = Books(job)
      switch work {
      case .reads:
        try await fileSystem.withFileHandle(forReadingAt: job.path) { handle in
          try await inTasks(job.depth) { try await read(handle, books) }
        }
      case .writes:
        try await fileSystem.withFileHandle(
          forReadingAndWritingAt: job.path, options: .modifyFile(createIfNecessary: false)
        ) { handle in
          try await inTasks(job.depth) { try await write(handle, books) }
        }
      }
      return books.meter.withLock { $0.sample }
    }
  }

  private static func inTasks(
    _ count: Int, _ body: @escaping @Sendable () async throws -> Void
  ) async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      for _ in 0..<count { group.addTask { try await body() } }
      try await group.waitForAll()
    }
  }

  private static func read(_ handle: ReadFileHandle, _ books: Books) async throws {
    while let offset = books.next({ $0.randomOffset() }) {
      let block = try await handle.readChunk(
        fromAbsoluteOffset: offset, length: .bytes(Int64(books.byteCount)))
      books.meter.withLock { $0.read(firstWord: block.firstWord(ofWhole: books.byteCount)) }
    }
  }

  private static func write(_ handle: ReadWriteFileHandle, _ books: Books) async throws {
    var block = ByteBufferAllocator().block()
    while let number = books.next({ $0.sequentialBlock() }) {
      block.fill(block: number)
      let count = try await handle.write(
        contentsOf: block, toAbsoluteOffset: number * Int64(Job.blockSize))
      books.meter.withLock { count == Job.blockSize ? $0.done() : $0.failedOne() }
    }
  }
}

/// The meter, which tasks on several threads share.
private final class Books: Sendable {
  let meter: Mutex<Meter>
  /// Of a read.
  let byteCount: Int

  init(_ job: Job) {
    byteCount = job.requestByteCount
    meter = Mutex(Meter(job))
  }

  /// What to do next; nil when the time is over.
  func next(_ take: (inout Meter) -> Int64) -> Int64? {
    meter.withLock { $0.isRunning ? take(&$0) : nil }
  }
}
