import Glibc
import SystemPackage
import TestSupport
import Testing
import XCTest

@testable import PosixAIO

/// A queue whose loop reads the queue's sources itself, as SwiftNIO's does.
final class DrivingTests: XCTestCase {
  /// Polls the sources of a queue, reads those that are readable, and drains the queue.
  private struct ReadingLoop {
    let queue: CompletionQueue
    var bytes = [UInt8](repeating: 0, count: CompletionQueue.sourceReadByteCount)
    /// The sources in the order in which they were read.
    var readSources: [CompletionQueue.Source] = []

    /// One turn: waits until a source is readable.
    mutating func turn() throws {
      let sources = CompletionQueue.Source.allCases
      var polled = sources.map {
        pollfd(fd: queue.descriptor(of: $0).rawValue, events: Int16(POLLIN), revents: 0)
      }
      let milliseconds = Int32(testDeadline.components.seconds * 1000)
      let count = unsafe poll(&polled, nfds_t(polled.count), milliseconds)
      // A handled signal may interrupt it.
      if count < 0, errno == EINTR { return }
      guard count > 0 else { throw NothingReadable() }
      for (source, poll) in zip(sources, polled) where poll.revents != 0 { try read(source) }
      queue.drainReceived()
    }

    private mutating func read(_ source: CompletionQueue.Source) throws(Errno) {
      let descriptor = queue.descriptor(of: source).rawValue
      let count = unsafe Glibc.read(descriptor, &bytes, bytes.count)
      // Another thread may have caught the signal.
      if count < 0, errno == EAGAIN, source == .signals { return }
      guard count > 0 else { throw Errno(rawValue: errno) }
      readSources.append(source)
      unsafe queue.received(bytes.span.bytes.extracting(0..<count), from: source)
    }

    mutating func runUntilIdle() throws {
      while queue.unfinishedCount > 0 { try turn() }
    }
  }

  private struct NothingReadable: Error {}

  private static let blockCount = 200
  private static let blockByteCount = 512

  func test_everyRequestCompletesOnceAndRight() throws {
    let statistics = try writeBlocks()
    XCTAssertGreaterThan(statistics.signalCount, 0)
    XCTAssertEqual(statistics.rescuedCount, 0)
  }

  func test_everyRequestCompletesOnceAndRight_whenTheHandlerGetsAllSignals() throws {
    let statistics = try writeBlocks { $0.leaveCurrentThread() }
    XCTAssertGreaterThan(statistics.strayCount, 0)
    XCTAssertEqual(statistics.rescuedCount, 0)
  }

  func test_everyRequestCompletesOnceAndRight_whenNoSignalCanBeQueued() throws {
    let statistics = try ResourceLimit.pendingSignals.lowered(to: 0) { try writeBlocks() }
    XCTAssertEqual(statistics.signalCount, 0)
    XCTAssertGreaterThan(statistics.rescuedCount, 0)
  }

  /// Operations that have ended when the timer expires, and whose signals the loop has not read,
  /// are not lost.
  func test_signalsThatWaitAreReadBeforeTheQueueLooksForLostOnes() throws {
    let folder = try TemporaryDirectory()
    let queue = try CompletionQueue(
      configuration: .with {
        $0.backstopFloor = .milliseconds(1)
        $0.backstopCeiling = .milliseconds(1)
      })
    var loop = ReadingLoop(queue: queue)
    let ledger = Ledger()
    let file = AIOFile(try folder.open("file"), queue: queue)
    try file.write(IOBuffer(copying: [1]), at: 0, ledger.transfer())
    queue.drainReceived()
    try wait(for: [.timer], of: queue)
    // The signal, which a thread of another test may have caught.
    try wait(for: [.signals, .pipe], of: queue)
    // The loop comes to the timer first, and to the signals a turn later.
    var expirations: UInt64 = 0
    XCTAssertEqual(
      unsafe Glibc.read(queue.descriptor(of: .timer).rawValue, &expirations, 8), 8)
    unsafe withUnsafeBytes(of: expirations) { unsafe queue.received($0.bytes, from: .timer) }
    queue.drainReceived()
    XCTAssertEqual(queue.unfinishedCount, 1)
    try loop.runUntilIdle()
    XCTAssertEqual(queue.statistics.rescuedCount, 0)
    XCTAssertEqual(queue.statistics.signalCount, 1)
  }

  func test_deadlinesArePunctual() throws {
    let ends = try FileDescriptor.pipe()
    defer { try? ends.writeEnd.close() }
    let queue = try CompletionQueue()
    var loop = ReadingLoop(queue: queue)
    let file = AIOFile(ends.readEnd, queue: queue)
    var errors: [Errno] = []
    try file.read(into: IOBuffer(capacity: 1), at: 0, timeout: .milliseconds(10)) { result, _ in
      if case .failure(let error) = result { errors.append(error.errno) }
    }
    try loop.runUntilIdle()
    XCTAssertEqual(errors, [.timedOut])
    XCTAssertTrue(loop.readSources.contains(.timer))
    try ends.writeEnd.writeAll([1])
  }

  func test_wakeUpMakesOnlyThePipeReadable() throws {
    let queue = try CompletionQueue()
    var loop = ReadingLoop(queue: queue)
    queue.wakeUp()
    queue.wakeUp()
    try loop.turn()
    XCTAssertEqual(loop.readSources, [.pipe])
    XCTAssertFalse(queue.isReadable)
  }

  /// Waits until one of the sources is readable.
  private func wait(for sources: [CompletionQueue.Source], of queue: CompletionQueue) throws {
    var polled = sources.map {
      pollfd(fd: queue.descriptor(of: $0).rawValue, events: Int16(POLLIN), revents: 0)
    }
    let milliseconds = Int32(testDeadline.components.seconds * 1000)
    while true {
      let count = unsafe poll(&polled, nfds_t(polled.count), milliseconds)
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { throw NothingReadable() }
      return
    }
  }

  /// Writes blocks, a few at a time, and checks the completions and the bytes.
  private func writeBlocks(
    _ prepare: (CompletionQueue) -> Void = { _ in }
  ) throws -> CompletionQueue.Statistics {
    let folder = try TemporaryDirectory()
    let queue = try CompletionQueue()
    prepare(queue)
    var loop = ReadingLoop(queue: queue)
    let file = AIOFile(try folder.open("blocks"), queue: queue)
    var completions = [Int](repeating: 0, count: Self.blockCount)
    for number in 0..<Self.blockCount {
      let block = Pattern.block(number, byteCount: Self.blockByteCount)
      try file.write(IOBuffer(copying: block), at: Int64(number * Self.blockByteCount)) {
        result, _ in
        completions[number] += 1
        if case .failure(let error) = result { XCTFail("block \(number): \(error)") }
      }
      if number % 8 == 7 { try loop.turn() }
    }
    try loop.runUntilIdle()
    XCTAssertEqual(completions, [Int](repeating: 1, count: Self.blockCount))
    let expected = (0..<Self.blockCount).flatMap {
      Pattern.block($0, byteCount: Self.blockByteCount)
    }
    XCTAssertEqual(try folder.contents(of: "blocks"), expected)
    return queue.statistics
  }
}

@Suite
struct DrivingMisuseTests {
  @Test func aPartOfARecordTraps() async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      let queue = try CompletionQueue()
      let bytes = [UInt8](repeating: 0, count: 12)
      unsafe queue.received(bytes.span.bytes, from: .pipe)
    }
    #expect(result.says("a source was read with too little room for its records"))
  }
}
