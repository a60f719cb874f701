internal import CPeers
internal import Glibc
internal import PosixAIO
internal import SystemPackage

/// Our contestants without the event loop: the completion queue's descriptor, polled with poll(2).
public enum QueueContestant {
  /// Reads random blocks.
  public static func read(_ job: Job) throws -> Sample {
    try QueueRun(job, .readOnly).run { run in
      for _ in 0..<job.depth { run.readNext(into: IOBuffer(capacity: Job.blockSize)) }
    }
  }

  /// Writes blocks one after the other.
  public static func write(_ job: Job) throws -> Sample {
    try QueueRun(job, .readWrite).run { run in
      for _ in 0..<job.depth { run.writeNext(.block()) }
    }
  }
}

private final class QueueRun {
  private let queue: CompletionQueue
  private let files: [AIOFile]
  private let usedCount: Int
  private var requestCount = 0
  private var pendingCount: Int
  private var meter: Meter

  init(_ job: Job, _ mode: FileDescriptor.AccessMode) throws {
    queue = try CompletionQueue()
    files = try job.openDescriptors(mode).map { [queue] descriptor in
      AIOFile(descriptor, path: job.path, queue: queue)
    }
    usedCount = job.usedCount
    pendingCount = job.depth
    meter = Meter(job)
  }

  func run(_ start: (QueueRun) -> Void) throws -> Sample {
    start(self)
    var entry = pollfd(fd: queue.descriptor.rawValue, events: Int16(POLLIN), revents: 0)
    while pendingCount > 0 {
      _ = unsafe poll(&entry, 1, -1)
      queue.drain()
    }
    for file in files { file.close() }
    queue.drain()
    return meter.sample
  }

  func readNext(into buffer: consuming IOBuffer) {
    do throws(Errno) {
      try nextFile().read(into: buffer, at: meter.randomOffset()) { [self] result, buffer in
        meter.read(result, buffer)
        if meter.isRunning { readNext(into: buffer) } else { pendingCount -= 1 }
      }
    } catch { refused() }
  }

  func writeNext(_ buffer: consuming IOBuffer) {
    let block = meter.sequentialBlock()
    buffer.fill(block: block)
    do throws(Errno) {
      try nextFile().write(buffer, at: block * Int64(Job.blockSize)) { [self] result, buffer in
        meter.written(result, byteCount: Job.blockSize)
        if meter.isRunning { writeNext(buffer) } else { pendingCount -= 1 }
      }
    } catch { refused() }
  }

  private func nextFile() -> AIOFile {
    guard usedCount > 1 else { return files[0] }
    defer { requestCount += 1 }
    return files[requestCount % usedCount]
  }

  private func refused() {
    meter.failedOne()
    pendingCount -= 1
  }
}
