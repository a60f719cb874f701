internal import CPeers
internal import PosixAIO
internal import Reactor
internal import SystemPackage

/// What takes requests: a file of an event loop, or one of a completion queue alone.
protocol RequestTaker: AnyObject {
  @discardableResult
  func read(
    into buffer: consuming IOBuffer, byteCount: Int?, at offset: Int64, timeout: Duration?,
    _ handler: @escaping CompletionQueue.TransferHandler
  ) throws(Errno) -> RequestID

  @discardableResult
  func write(
    _ buffer: consuming IOBuffer, at offset: Int64, timeout: Duration?,
    _ handler: @escaping CompletionQueue.TransferHandler
  ) throws(Errno) -> RequestID
}

extension File: RequestTaker {}
extension AIOFile: RequestTaker {}

/// Always as many requests as the job says, as a user writes them: a handler that makes the next
/// one with the buffer that it got back.
final class Requests<Target: RequestTaker> {
  /// The books.
  var meter: Meter
  /// Chains of requests that have not ended.
  private(set) var pendingCount: Int

  let depth: Int
  private let files: [Target]
  private let usedCount: Int
  private var requestCount = 0
  private let onEnd: () -> Void

  /// Describes them; the warm-up begins.
  ///
  /// - Parameter onEnd: Called when the time is over and the last request is done.
  init(_ job: Job, _ files: [Target], onEnd: @escaping () -> Void = {}) {
    self.files = files
    self.onEnd = onEnd
    (depth, pendingCount, usedCount) = (job.depth, job.depth, job.usedCount)
    meter = Meter(job)
  }

  /// Reads random blocks.
  func startReads() {
    for _ in 0..<depth { readNext(into: IOBuffer(capacity: Job.blockSize)) }
  }

  /// Writes blocks one after the other.
  func startWrites() {
    for _ in 0..<depth { writeNext(.block()) }
  }

  /// Makes no further requests, whatever time is left.
  func stop() {
    meter.stop()
  }

  /// Files take turns.
  func nextFile() -> Target {
    guard usedCount > 1 else { return files[0] }
    defer { requestCount += 1 }
    return files[requestCount % usedCount]
  }

  /// Ends a chain by a request that was refused, or failed for good.
  func refused() {
    meter.failedOne()
    ended()
  }

  /// Ends a chain.
  func ended() {
    pendingCount -= 1
    if pendingCount == 0 { onEnd() }
  }

  private func readNext(into buffer: consuming IOBuffer) {
    do throws(Errno) {
      try nextFile().read(
        into: buffer, byteCount: nil, at: meter.randomOffset(), timeout: nil
      ) { [self] result, buffer in
        meter.read(result, buffer)
        if meter.isRunning { readNext(into: buffer) } else { ended() }
      }
    } catch { refused() }
  }

  private func writeNext(_ buffer: consuming IOBuffer) {
    let block = meter.sequentialBlock()
    buffer.fill(block: block)
    do throws(Errno) {
      try nextFile().write(
        buffer, at: block * Int64(Job.blockSize), timeout: nil
      ) { [self] result, buffer in
        meter.written(result, byteCount: Job.blockSize)
        if meter.isRunning { writeNext(buffer) } else { ended() }
      }
    } catch { refused() }
  }
}
