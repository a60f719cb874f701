import Glibc
import PosixAIO
import Reactor
import Synchronization
import SystemPackage
import TestSupport
import XCTest

/// What a turn of the loop may do, and what is told of it.
final class TurnTests: XCTestCase {
  func test_runUntilTellsWhetherTheConditionHolds() throws {
    let loop = try EventLoop()
    var fired = 0
    loop.schedule(after: .milliseconds(1)) { fired += 1 }
    XCTAssertTrue(loop.run(until: { fired == 1 }, timeout: testDeadline))
    XCTAssertFalse(loop.run(until: { false }, timeout: .milliseconds(1)))
    loop.schedule(after: .zero) { loop.stop() }
    XCTAssertFalse(loop.run(until: { false }, timeout: testDeadline))
    XCTAssertTrue(loop.run(until: { true }))
  }

  func test_runOnceReturnsAfterOneEvent_alsoAfterACallOfAnotherThread() throws {
    let loop = try EventLoop()
    let calls = Mutex(0)
    loop.remote.execute { _ in calls.withLock { $0 += 1 } }
    loop.runOnce()
    XCTAssertEqual(calls.withLock { $0 }, 1)
    loop.stop()
    loop.runOnce()
  }

  func test_callsOfOtherThreadsAreDividedAmongTurns_andTimersComeBetweenThem() throws {
    var configuration = EventLoop.Configuration()
    configuration.callsPerTurn = 10
    let loop = try EventLoop(configuration: configuration)
    let order = Mutex<[Int]>([])
    for number in 0..<25 {
      loop.remote.execute { loop in
        order.withLock { $0.append(number) }
        guard number == 0 else { return }
        loop.schedule(after: .zero) { order.withLock { $0.append(-1) } }
      }
    }
    loop.run(until: { order.withLock { $0.count } == 26 }, timeout: testDeadline)
    let numbers = order.withLock { $0 }
    XCTAssertEqual(numbers.filter { $0 >= 0 }, Array(0..<25))
    let timer = try XCTUnwrap(numbers.firstIndex(of: -1))
    XCTAssertGreaterThanOrEqual(timer, 10)
    XCTAssertLessThan(timer, 25)
  }

  func test_socketGetsItsTurnAmongCompletionsThatNeverEnd_calledOrAwaited() throws {
    for isAwaited in [false, true] {
      var configuration = EventLoop.Configuration()
      configuration.cachedReadsPerSharedTurn = 16
      let (folder, loop) = (try TemporaryDirectory(), try EventLoop(configuration: configuration))
      try folder.write([1], to: "file")
      let flood = Flood(loop)
      File.open(folder.path.appending("file"), .readOnly, on: loop) { result in
        guard case .success(let file) = result else { return XCTFail("\(result)") }
        for _ in 0..<64 {
          if isAwaited {
            flood.awaitReads(of: file)
          } else {
            flood.read(file, IOBuffer(capacity: 1))
          }
        }
      }
      var ends: [Int32] = [-1, -1]
      XCTAssertEqual(unsafe pipe(&ends), 0)
      let (reading, writing) = (
        FileDescriptor(rawValue: ends[0]), FileDescriptor(rawValue: ends[1])
      )
      var completionsPerEvent: [Int] = []
      let watch = try loop.watch(writing, for: .writable) { _ in
        completionsPerEvent.append(flood.takeCount())
        if completionsPerEvent.count == 200 { flood.isOver = true }
      }
      loop.run(until: { flood.isOver && flood.runningCount == 0 }, timeout: testDeadline)
      XCTAssertTrue(flood.isOver)
      XCTAssertLessThanOrEqual(try XCTUnwrap(completionsPerEvent.max()), 16)
      watch.cancel()
      try reading.close()
      try writing.close()
    }
  }

  func test_completionsHaveALargerBudget_whileNothingElseIsWatched() throws {
    var configuration = EventLoop.Configuration()
    configuration.queue.completionsPerDrain = 50
    configuration.cachedReadsPerSharedTurn = 3
    let (folder, loop) = (try TemporaryDirectory(), try EventLoop(configuration: configuration))
    try folder.write([1], to: "file")
    var file: File?
    File.open(folder.path.appending("file"), .readOnly, on: loop) { file = try? $0.get() }
    XCTAssertTrue(loop.run(until: { file != nil }, timeout: testDeadline))
    let flood = Flood(loop)
    for _ in 0..<64 { flood.read(try XCTUnwrap(file), IOBuffer(capacity: 1)) }
    // A timer and a signal wait for milliseconds, not for microseconds.
    let timer = loop.schedule(after: testDeadline) {}
    let signal = loop.watch(.user2) {}
    XCTAssertEqual(flood.completionsOfTurns(2), [50, 50])
    let ends = try FileDescriptor.pipe()
    let watch = try loop.watch(ends.readEnd, for: .readable) { _ in }
    XCTAssertEqual(flood.completionsOfTurns(3).suffix(2), [3, 3])
    watch.cancel()
    XCTAssertEqual(flood.completionsOfTurns(3).suffix(2), [50, 50])
    let listener = try Listener(on: loop, .loopback(port: 0))
    listener.onConnection = { _ in }
    XCTAssertEqual(flood.completionsOfTurns(3).suffix(2), [3, 3])
    listener.close()
    timer.cancel()
    signal.cancel()
    XCTAssertEqual(flood.completionsOfTurns(3).suffix(2), [50, 50])
    flood.isOver = true
    XCTAssertTrue(loop.run(until: { flood.runningCount == 0 }, timeout: testDeadline))
    for end in [ends.readEnd, ends.writeEnd] { try end.close() }
  }

  func test_figuresCountWhatWasDone() throws {
    let loop = try EventLoop()
    for _ in 0..<3 { loop.remote.execute { _ in } }
    loop.schedule(after: .milliseconds(1)) {}
    loop.run { _ in
      for _ in 0..<5 { await Task.yield() }
    }
    loop.run(for: .milliseconds(2))
    let statistics = loop.statistics
    XCTAssertEqual(statistics.callCount, 3)
    XCTAssertGreaterThanOrEqual(statistics.jobCount, 6)
    XCTAssertGreaterThanOrEqual(statistics.timerLags.count, 1)
    XCTAssertGreaterThanOrEqual(statistics.turnCount, 2)
  }
}

/// Reads of a cached byte, each of which starts the next.
private final class Flood {
  private let loop: EventLoop
  private var count = 0
  private(set) var runningCount = 0
  var isOver = false

  init(_ loop: EventLoop) {
    self.loop = loop
  }

  func takeCount() -> Int {
    defer { count = 0 }
    return count
  }

  func completionsOfTurns(_ count: Int) -> [Int] {
    (0..<count).map { _ in
      loop.runOnce()
      return takeCount()
    }
  }

  func read(_ file: File, _ buffer: consuming IOBuffer) {
    runningCount += 1
    file.read(into: buffer, at: 0) { _, buffer in
      self.count += 1
      self.runningCount -= 1
      if !self.isOver { self.read(file, buffer) }
    }
  }

  func awaitReads(of file: File) {
    runningCount += 1
    loop.startTask {
      do throws(FileError) {
        var buffer = IOBuffer(capacity: 1)
        while !self.isOver {
          buffer = try await file.read(into: buffer, at: 0)
          self.count += 1
        }
      } catch {
        XCTFail("\(error)")
      }
      self.runningCount -= 1
    }
  }
}
