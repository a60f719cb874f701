internal import CPeers
internal import Measuring
internal import NIOCore
internal import NIOPosix
internal import NIOPosixAIO
internal import PosixAIO
internal import SystemPackage

/// `NIOPosixAIO` as a server uses it: as many tasks as the job says on one event loop, each of
/// which awaits its calls.
///
/// Sendable: it is used on the loop only.
final class LoopFilesContestant: @unchecked Sendable {
  private let file: LoopFile
  private let byteCount: Int
  private var meter: Meter

  static func measure(_ job: Job, _ work: NIOFilesCommand.Work) async throws -> Sample {
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let eventLoop = group.next()
    let contestant = Task(executorPreference: LoopTaskExecutor(eventLoop)) {
      let contestant = try await LoopFilesContestant(job, work, eventLoop)
      try await withThrowingTaskGroup(of: Void.self) { tasks in
        for _ in 0..<job.depth { tasks.addTask { try await contestant.run(work) } }
        try await tasks.waitForAll()
      }
      return contestant
    }
    let sample = try await contestant.value.meter.sample
    try await contestant.value.file.close()
    try await group.shutdownGracefully()
    return sample
  }

  private init(
    _ job: Job, _ work: NIOFilesCommand.Work, _ eventLoop: any EventLoop
  ) async throws(FileError) {
    let files = LoopFileSystem(on: eventLoop)
    switch work {
    case .reads:
      file = try await files.openFile(
        forReadingAt: job.path, options: job.isDirect ? .directIO : [])
    case .writes: file = try await files.openFile(forReadingAndWritingAt: job.path)
    }
    byteCount = job.requestByteCount
    meter = Meter(job)
  }

  private func run(_ work: NIOFilesCommand.Work) async throws(FileError) {
    switch work {
    case .reads: try await read()
    case .writes: try await write()
    }
  }

  private func read() async throws(FileError) {
    while meter.isRunning {
      let bytes = try await file.readChunk(
        fromAbsoluteOffset: meter.randomOffset(), length: byteCount)
      meter.read(firstWord: bytes.firstWord(ofWhole: byteCount))
    }
  }

  private func write() async throws(FileError) {
    var block = ByteBufferAllocator().block()
    while meter.isRunning {
      let number = meter.sequentialBlock()
      block.fill(block: number)
      try await file.write(
        contentsOf: block, toAbsoluteOffset: number * Int64(Job.blockSize))
      meter.done()
    }
  }
}
