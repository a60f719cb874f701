internal import Glibc
internal import PosixAIO
internal import SystemPackage

/// An `AIORead` by itself: submitted, waited for and taken, again and again.
public enum OperationContestant {
  /// How the end of the operation is waited for.
  public enum Waiting: Sendable {
    /// Asks and yields the processor in between.
    case yielding
    /// `aio_suspend(3)`.
    case suspended
  }

  /// Reads the second block of the file.
  public static func read(_ job: Job, _ waiting: Waiting) throws -> Sample {
    let descriptor = try FileDescriptor.open(job.path, .readOnly, options: .closeOnExec)
    defer { try? descriptor.close() }
    var meter = Meter(job)
    let read = AIORead(
      descriptor, offset: Int64(Job.blockSize), into: IOBuffer(capacity: Job.blockSize))
    while meter.isRunning {
      try read.submit()
      while read.error() == .nowInProgress {
        switch waiting {
        case .yielding: sched_yield()
        case .suspended: try AIOOperation.suspend([read])
        }
      }
      if try read.takeResult() == Job.blockSize { meter.done() } else { meter.failedOne() }
    }
    if let buffer = read.takeBuffer() { meter.check(buffer, isBlock: 1) }
    return meter.sample
  }
}
