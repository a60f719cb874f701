import CPosixAIO
import Glibc
import SystemPackage
import TestSupport
import XCTest

@testable import PosixAIO

/// A queue that has nothing to do lets its loop sleep, whatever it did before.
final class IdleWakeUpTests: XCTestCase {
  /// libc whose clock the test can put ahead of the kernel's, and which counts looks at epoll.
  private final class SkewedSystem: AIOSystem, @unchecked Sendable {
    var ahead: UInt64 = 0
    private(set) var lookCount = 0
    private(set) var timerTimes: [UInt64] = []

    override func now() -> UInt64 { super.now() + ahead }

    override func setTimer(_ descriptor: Int32, at time: UInt64) {
      timerTimes.append(time)
      super.setTimer(descriptor, at: time)
    }

    override func readableSources(_ epoll: Int32) -> QueueSources {
      lookCount += 1
      return super.readableSources(epoll)
    }
  }

  private let folder = try? TemporaryDirectory()

  private func makeFile(_ queue: CompletionQueue) throws -> AIOFile {
    AIOFile(try XCTUnwrap(folder).open("file"), queue: queue)
  }

  /// Waits until the queue's descriptor is readable.
  private func wait(for queue: CompletionQueue) {
    var polled = pollfd(fd: queue.descriptor.rawValue, events: Int16(POLLIN), revents: 0)
    let milliseconds = Int32(testDeadline.components.seconds * 1000)
    XCTAssertEqual(unsafe poll(&polled, 1, milliseconds), 1)
  }

  func test_timerThatRunsOutLaterThanTheClockSaidIsRead() throws {
    let system = SkewedSystem()
    let queue = try CompletionQueue(
      configuration: .with { $0.disableBackstop() }, system: system)
    let file = try makeFile(queue)
    try file.write(IOBuffer(copying: [1]), at: 0, timeout: .milliseconds(50)) { _, _ in }
    try queue.runUntilIdle()
    // By its clock the timer has run out; by the kernel's it has not.
    system.ahead = 10_000_000_000
    queue.drain()
    wait(for: queue)
    queue.drain()
    XCTAssertFalse(queue.isReadable, "a loop would call drain again and again")
  }

  func test_timerIsArmedForTheTimeThatIsMeant_howeverLateTheArming() throws {
    let system = SkewedSystem()
    let queue = try CompletionQueue(
      configuration: .with { $0.disableBackstop() }, system: system)
    let file = try makeFile(queue)
    let before = system.now()
    try file.write(IOBuffer(copying: [1]), at: 0, timeout: .seconds(20)) { _, _ in
      // The handler takes long, by the clock.
      system.ahead += 5_000_000_000
    }
    try queue.runUntilIdle()
    let time = try XCTUnwrap(system.timerTimes.last)
    XCTAssertGreaterThanOrEqual(time, before + 20_000_000_000)
    XCTAssertLessThan(time, before + 25_000_000_000)
  }

  func test_drainThatWasOnlyAskedForLooksAtNoDescriptor_andStillSeesDeadlines() throws {
    let system = SkewedSystem()
    let queue = try CompletionQueue(
      configuration: .with { $0.disableBackstop() }, system: system)
    let ledger = Ledger()
    let file = try makeFile(queue)
    try file.write(IOBuffer(copying: [1]), at: 0, ledger.transfer())
    try queue.runUntilIdle()
    let before = system.lookCount
    var requested = 0
    queue.requestDrain = { _ in requested += 1 }
    try file.read(into: IOBuffer(capacity: 1), at: 0, ledger.read(expecting: [1]))
    XCTAssertGreaterThan(requested, 0)
    XCTAssertEqual(queue.drain(limit: 9, cachedReadLimit: 9, sources: .skips), 1)

    let pipe = try TestPipe()
    let waiting = AIOFile(pipe.readEnd, queue: queue)
    try waiting.read(
      into: IOBuffer(capacity: 1), at: 0, timeout: .seconds(3600), ledger.transfer())
    XCTAssertEqual(queue.drain(limit: 9, cachedReadLimit: 9, sources: .skips), 0)
    system.ahead = 3_601_000_000_000
    XCTAssertEqual(queue.drain(limit: 9, cachedReadLimit: 9, sources: .skips), 1)
    XCTAssertEqual(ledger[2], .failed(.timedOut))
    XCTAssertEqual(system.lookCount, before)
    queue.requestDrain = nil
    try pipe.write([1])
    try queue.run { queue.hot.inFlight.isEmpty }
  }

  // MARK: Counted wake-ups

  private struct Scenario {
    let name: String
    let queue: CompletionQueue
    var wakeUpCount = 0
  }

  private func scenario(
    _ name: String, system: AIOSystem = .live,
    _ change: (inout CompletionQueue.Configuration) -> Void = { _ in },
    _ body: (CompletionQueue, AIOFile) throws -> Void
  ) throws -> Scenario {
    let queue = try CompletionQueue(configuration: .with(change), system: system)
    try body(queue, try makeFile(queue))
    try queue.run { queue.unfinishedCount == 0 && queue.hot.inFlight.isEmpty }
    return Scenario(name: name, queue: queue)
  }

  private func makeScenarios() throws -> [Scenario] {
    let one = { IOBuffer(copying: [1]) }
    return [
      try scenario("never used") { _, _ in },
      try scenario("writes and a sync") { _, file in
        for number in 0..<100 { try file.write(one(), at: Int64(number)) { _, _ in } }
        try file.sync { _ in }
      },
      try scenario("cached reads, cut short", { $0.completionsPerDrain = 3 }) { _, file in
        for _ in 0..<50 { try file.read(into: IOBuffer(capacity: 1), at: 0) { _, _ in } }
      },
      try scenario("deadlines that did not pass") { _, file in
        for number in 1...20 {
          try file.write(one(), at: 0, timeout: .milliseconds(50 * number)) { _, _ in }
        }
      },
      try scenario("a deadline that passed") { queue, _ in
        let pipe = try TestPipe()
        let file = AIOFile(pipe.readEnd, queue: queue)
        try file.read(into: IOBuffer(capacity: 1), at: 0, timeout: .milliseconds(5)) { _, _ in }
        try queue.run { queue.unfinishedCount == 0 }
        try pipe.write([1])
      },
      try scenario("cancelled") { queue, file in
        let id = try file.write(one(), at: 0) { _, _ in }
        queue.cancel(id)
      },
      try scenario("lost signals", system: SilentSystem()) { _, file in
        for _ in 0..<5 { try file.write(one(), at: 0) { _, _ in } }
      },
      try scenario("foreign signals, blocked and not") { queue, _ in
        for _ in 0..<100 { raise(queue.signal.number) }
        queue.leaveCurrentThread()
        for _ in 0..<100 { raise(queue.signal.number) }
      },
      try scenario("nobody looks at first") { queue, file in
        try file.write(one(), at: 0, timeout: .milliseconds(10)) { _, _ in }
        while queue.unfinishedCount > 0 {
          wait(for: queue)
          _ = queue.drain(limit: 1, cachedReadLimit: 1, sources: .skips)
          queue.drain()
        }
      },
      try scenario("endless durations", { $0.backstopCeiling = .seconds(Int64.max) }) { _, file in
        try file.write(one(), at: 0, timeout: .seconds(Int64.max)) { _, _ in }
      },
    ]
  }

  /// A loop may be woken by a timer that was armed before the end, and is then left alone.
  func test_idleQueueWakesItsLoopTwiceAtMost_inTwoSecondsAfterEachScenario() throws {
    var scenarios = try makeScenarios()
    let end = ContinuousClock.now + .seconds(2)
    while case let remaining = end - .now, remaining > .zero {
      var polled = scenarios.map {
        pollfd(fd: $0.queue.descriptor.rawValue, events: Int16(POLLIN), revents: 0)
      }
      let milliseconds = Int32(remaining / .milliseconds(1)) + 1
      guard unsafe poll(&polled, nfds_t(polled.count), milliseconds) > 0 else { continue }
      for index in scenarios.indices where polled[index].revents != 0 {
        scenarios[index].wakeUpCount += 1
        scenarios[index].queue.drain()
      }
      guard scenarios.allSatisfy({ $0.wakeUpCount < 100 }) else { break }
    }
    for scenario in scenarios {
      XCTAssertLessThanOrEqual(scenario.wakeUpCount, 2, scenario.name)
    }
  }
}
