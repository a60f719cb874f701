internal import CPeers
internal import Measuring
internal import NIOCore
internal import NIOPosix
internal import SystemPackage
internal import struct SystemPackage.FileDescriptor

/// `NonBlockingFileIO` as a channel handler uses it: on an event loop, a future for each call,
/// whose callback makes the next. Each of the requests at a time has a handle of its own, since two
/// threads that use one get `EBUSY`.
final class FileIOContestant {
  private let io: NonBlockingFileIO
  private let byteCount: Int
  private let handles: [NIOFileHandle]
  private let eventLoop: any EventLoop
  private let allocator = ByteBufferAllocator()
  private let end: EventLoopPromise<Sample>
  private var pendingCount: Int
  private var meter: Meter

  static func measure(_ job: Job, _ work: NIOFilesCommand.Work) async throws -> Sample {
    let pool = NIOThreadPool(numberOfThreads: Pool.threadCount)
    pool.start()
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let eventLoop = group.next()
    let sample = try await eventLoop.flatSubmit {
      do {
        let contestant = try FileIOContestant(job, work, pool, eventLoop)
        contestant.start(work)
        return contestant.end.futureResult
      } catch {
        return eventLoop.makeFailedFuture(error)
      }
    }.get()
    try await pool.shutdownGracefully()
    try await group.shutdownGracefully()
    return sample
  }

  private init(
    _ job: Job, _ work: NIOFilesCommand.Work, _ pool: NIOThreadPool, _ eventLoop: any EventLoop
  ) throws {
    io = NonBlockingFileIO(threadPool: pool)
    byteCount = job.requestByteCount
    let mode: FileDescriptor.AccessMode = work == .reads ? .readOnly : .readWrite
    handles = try (0..<job.depth).map { _ in
      let descriptor = try FileDescriptor.open(job.path, mode, options: .closeOnExec)
      return NIOFileHandle(_deprecatedTakingOwnershipOfDescriptor: descriptor.rawValue)
    }
    self.eventLoop = eventLoop
    end = eventLoop.makePromise()
    pendingCount = job.depth
    meter = Meter(job)
  }

  private func start(_ work: NIOFilesCommand.Work) {
    for handle in handles {
      switch work {
      case .reads: readNext(handle)
      case .writes: writeNext(allocator.block(), handle)
      }
    }
  }

  private func readNext(_ handle: NIOFileHandle) {
    io.read(
      fileHandle: handle, fromOffset: meter.randomOffset(), byteCount: byteCount,
      allocator: allocator, eventLoop: eventLoop
    ).assumeIsolated().whenComplete { [self] result in
      meter.read(firstWord: try? result.get().firstWord(ofWhole: byteCount))
      if meter.isRunning { readNext(handle) } else { ended() }
    }
  }

  private func writeNext(_ block: ByteBuffer, _ handle: NIOFileHandle) {
    var block = block
    let number = meter.sequentialBlock()
    block.fill(block: number)
    io.write(
      fileHandle: handle, toOffset: number * Int64(Job.blockSize), buffer: block,
      eventLoop: eventLoop
    ).assumeIsolated().whenComplete { [self] result in
      if case .success = result { meter.done() } else { meter.failedOne() }
      if meter.isRunning { writeNext(block, handle) } else { ended() }
    }
  }

  private func ended() {
    pendingCount -= 1
    guard pendingCount == 0 else { return }
    let sample = meter.sample
    do {
      for handle in handles { try handle.close() }
      end.succeed(sample)
    } catch {
      end.fail(error)
    }
  }
}
