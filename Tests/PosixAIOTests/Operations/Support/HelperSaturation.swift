import CPosixAIO
import PosixAIO
import SystemPackage
import TestSupport

/// Keeps all helper threads of glibc busy, so that what is submitted meanwhile is queued and does
/// not begin: the opposite of a race. Each helper sits in a write to a full pipe.
///
/// Call ``release()`` in the test's teardown.
final class HelperSaturation {
  /// How many helpers glibc may have: what a queue sets it to. A process can do that before its
  /// first operation only, so a test reads this before it begins one.
  static let helperCount = {
    let count = CompletionQueue.Configuration().aioThreadLimit ?? 20
    caio_set_thread_limit(Int32(count))
    return count
  }()

  private var running: [BlockedWrite]
  private var waiting: [BlockedWrite] = []

  init() throws {
    running = try (0..<Self.helperCount).map { _ in try BlockedWrite() }
    for write in running { try write.start() }
    for write in running { try write.waitUntilRunning() }
  }

  deinit {
    // The teardown has done it, unless the test threw in between.
    try? release()
  }

  /// Queues one more write that will block a helper as soon as one is free.
  func add() throws {
    let write = try BlockedWrite()
    try write.start()
    waiting.append(write)
  }

  /// Lets one helper go, which then serves what is queued.
  func releaseOne() throws {
    try running.popLast()?.release()
  }

  /// Waits until the first of the writes that were added has a helper.
  func waitUntilAddedOneRuns() throws {
    let write = waiting.removeFirst()
    try write.waitUntilRunning()
    running.append(write)
  }

  /// Lets all helpers go, and waits until they have.
  func release() throws {
    for write in running + waiting { try write.release() }
    (running, waiting) = ([], [])
  }
}

/// A write that keeps one helper busy until it is released.
final class BlockedWrite {
  private let pipe: SmallPipe
  private let operation: RawOperation

  init() throws {
    pipe = try SmallPipe()
    operation = RawOperation(pipe.writeEnd, byteCount: SmallPipe.blockingByteCount)
  }

  func start() throws { try operation.write() }

  func waitUntilRunning() throws { try pipe.waitUntilReadable() }

  func release() throws {
    try pipe.drain(SmallPipe.blockingByteCount)
    try operation.waitUntilFinished()
  }
}
