import Glibc
import SystemPackage
import TestSupport
import XCTest

@testable import PosixAIO

final class CompletionQueueTests: XCTestCase {
  private var folder: TemporaryDirectory!

  override func setUpWithError() throws {
    folder = try TemporaryDirectory()
  }

  // MARK: Results

  func test_readGivesTheBytesThatAreThere_whenItReachesBehindTheEnd() throws {
    try folder.write("hello world".utf8, to: "file")
    let queue = try CompletionQueue()
    let file = AIOFile(try folder.open("file"), queue: queue)
    var texts: [String] = []
    for offset: Int64 in [0, 6, 11, 100] {
      try file.read(into: IOBuffer(capacity: 64), at: offset) { result, buffer in
        XCTAssertEqual(try? result.get(), buffer.count)
        texts.append(String(decoding: buffer))
      }
    }
    try queue.runUntilIdle()
    XCTAssertEqual(texts.sorted(), ["", "", "hello world", "world"])
  }

  func test_readLeavesTheRestOfTheBufferAlone_whenByteCountIsSmaller() throws {
    try folder.write("hello world".utf8, to: "file")
    let queue = try CompletionQueue()
    let file = AIOFile(try folder.open("file"), queue: queue)
    var text = ""
    try file.read(into: IOBuffer(capacity: 64), byteCount: 5, at: 0) { _, buffer in
      text = String(decoding: buffer)
    }
    try queue.runUntilIdle()
    XCTAssertEqual(text, "hello")
  }

  func test_failureNamesOperationPathOffsetAndReason() throws {
    let queue = try CompletionQueue()
    let path = folder.path.appending("write-only")
    let descriptor = try FileDescriptor.open(
      path, .writeOnly, options: .create, permissions: .ownerReadWrite)
    let file = AIOFile(descriptor, path: "write-only", queue: queue)
    var message = ""
    try file.read(into: IOBuffer(capacity: 1), at: 4096) { result, _ in
      if case .failure(let error) = result { message = "\(error)" }
    }
    try queue.runUntilIdle()
    XCTAssertEqual(message, "read \"write-only\" at 4096: Bad file descriptor")
  }

  func test_shortWriteGoesOnAndFailsWithTheBytesDone_whenTheFileMayNotGrow() throws {
    signal(SIGXFSZ, SIG_IGN)
    defer { signal(SIGXFSZ, SIG_DFL) }
    let queue = try CompletionQueue()
    let file = AIOFile(try folder.open("file"), queue: queue)
    var failure: FileError?
    var syncedAfterIt = false
    try ResourceLimit.fileSize.lowered(to: 1000) {
      try file.write(IOBuffer(copying: Pattern.block(1, byteCount: 4096)), at: 0) {
        result, buffer in
        XCTAssertEqual(buffer.count, 4096)
        if case .failure(let error) = result { failure = error }
      }
      try file.sync { _ in syncedAfterIt = failure != nil }
      try queue.runUntilIdle()
    }
    XCTAssertEqual(failure?.errno, .fileTooLarge)
    XCTAssertEqual(failure?.byteCountDone, 1000)
    XCTAssertTrue(syncedAfterIt)
    XCTAssertEqual(
      try folder.contents(of: "file"), Array(Pattern.block(1, byteCount: 4096).prefix(1000)))
  }

  // MARK: Order

  func test_syncCompletesAfterEveryEarlierWrite() throws {
    let queue = try CompletionQueue()
    let file = AIOFile(try folder.open("file"), queue: queue)
    var events: [String] = []
    for number in 0..<40 {
      let block = Pattern.block(number, byteCount: 64)
      try file.write(IOBuffer(copying: block), at: Int64(number * 64)) { _, _ in
        events.append("write")
      }
      if number % 10 == 9 { try file.dataSync { _ in events.append("sync") } }
    }
    try queue.runUntilIdle()
    XCTAssertEqual(events.count, 44)
    for (index, position) in events.indices.filter({ events[$0] == "sync" }).enumerated() {
      let writesBefore = events[..<position].count { $0 == "write" }
      XCTAssertGreaterThanOrEqual(writesBefore, (index + 1) * 10)
    }
  }

  func test_handlersRunFromDrainOnly() throws {
    let queue = try CompletionQueue()
    let file = AIOFile(try folder.open("file"), queue: queue)
    var isInsideCall = true
    var calls = 0
    try file.write(IOBuffer(copying: [1]), at: 0) { _, _ in
      XCTAssertFalse(isInsideCall)
      calls += 1
    }
    try file.sync { _ in
      XCTAssertFalse(isInsideCall)
      calls += 1
    }
    file.close { _ in
      XCTAssertFalse(isInsideCall)
      calls += 1
    }
    isInsideCall = false
    try queue.runUntilIdle()
    XCTAssertEqual(calls, 3)
  }

  func test_handlersMayStartMoreAndClose() throws {
    let queue = try CompletionQueue()
    let file = AIOFile(try folder.open("file"), queue: queue)
    var remaining = 100
    var isClosed = false
    func next() throws {
      guard remaining > 0 else {
        return file.close { _ in isClosed = true }
      }
      remaining -= 1
      try file.write(IOBuffer(copying: [UInt8(remaining)]), at: Int64(remaining)) { _, _ in
        do { try next() } catch { XCTFail("\(error)") }
      }
    }
    try next()
    try queue.run { isClosed }
    XCTAssertEqual(try folder.contents(of: "file"), (0..<100).map { UInt8($0) })
  }

  func test_drainStopsAtItsLimit_andTheDescriptorStaysReadable() throws {
    let queue = try CompletionQueue()
    let file = AIOFile(try folder.open("file"), queue: queue)
    var calls = 0
    for number in 0..<10 {
      try file.write(IOBuffer(copying: [1]), at: Int64(number)) { _, _ in calls += 1 }
    }
    let end = ContinuousClock.now + testDeadline
    while calls < 10, .now < end {
      var polled = pollfd(fd: queue.descriptor.rawValue, events: Int16(POLLIN), revents: 0)
      XCTAssertEqual(unsafe poll(&polled, 1, 30_000), 1)
      let before = calls
      let delivered = queue.drain(limit: 3)
      XCTAssertEqual(calls - before, delivered)
      XCTAssertLessThanOrEqual(delivered, 3)
    }
    XCTAssertEqual(calls, 10)
  }

  // MARK: Refusals

  func test_requestIsRefusedAndNothingStarts_overTheWaitingLimit() throws {
    var configuration = CompletionQueue.Configuration()
    configuration.waitingLimit = 2
    let queue = try CompletionQueue(configuration: configuration)
    let file = AIOFile(try folder.open("file"), queue: queue)
    var calls = 0
    try file.write(IOBuffer(copying: [1]), at: 0) { _, _ in calls += 1 }
    try file.write(IOBuffer(copying: [2]), at: 1) { _, _ in calls += 1 }
    XCTAssertFalse(queue.hasRoom())
    XCTAssertThrowsError(
      try file.write(IOBuffer(copying: [3]), at: 2) { _, _ in XCTFail("it was refused") }
    ) { XCTAssertEqual($0 as? Errno, .resourceTemporarilyUnavailable) }
    try queue.runUntilIdle()
    XCTAssertEqual(calls, 2)
    XCTAssertEqual(try folder.contents(of: "file"), [1, 2])
  }

  func test_requestIsRefused_withANegativeOffset() throws {
    let queue = try CompletionQueue()
    let file = AIOFile(try folder.open("file"), queue: queue)
    XCTAssertThrowsError(
      try file.read(into: IOBuffer(capacity: 1), at: -1) { _, _ in XCTFail("it was refused") }
    ) { XCTAssertEqual($0 as? Errno, .invalidArgument) }
    XCTAssertEqual(queue.unfinishedCount, 0)
  }

  func test_requestIsRefused_afterClose_andWhatWasAcceptedRunsToItsEnd() throws {
    let queue = try CompletionQueue()
    let file = AIOFile(try folder.open("file"), queue: queue)
    var events: [String] = []
    try file.write(IOBuffer(copying: [7]), at: 0) { _, _ in events.append("write") }
    file.close { _ in events.append("close") }
    XCTAssertThrowsError(try file.sync { _ in XCTFail("it was refused") }) {
      XCTAssertEqual($0 as? Errno, .badFileDescriptor)
    }
    try queue.runUntilIdle()
    XCTAssertEqual(events, ["write", "close"])
  }

  // MARK: Faults of libc

  func test_requestWaits_whenLibcRefusesItWhileOthersAreInFlight() throws {
    var configuration = CompletionQueue.Configuration()
    configuration.inFlightLimit = 64
    let system = RefusingSystem { submission in
      submission % 3 == 0 ? .resourceTemporarilyUnavailable : nil
    }
    let queue = try CompletionQueue(configuration: configuration, system: system)
    let file = AIOFile(try folder.open("file"), queue: queue)
    var completions = [Int](repeating: 0, count: 200)
    for number in 0..<200 {
      try file.write(IOBuffer(copying: [UInt8(number)]), at: Int64(number)) { result, _ in
        completions[number] += 1
        if case .failure(let error) = result {
          XCTAssertEqual(error.errno, .resourceTemporarilyUnavailable)
        }
      }
    }
    try queue.runUntilIdle()
    XCTAssertEqual(completions, [Int](repeating: 1, count: 200))
  }

  func test_requestFailsOnce_whenLibcRefusesItAndNothingIsInFlight() throws {
    let system = RefusingSystem { _ in .resourceTemporarilyUnavailable }
    let queue = try CompletionQueue(configuration: .init(), system: system)
    let file = AIOFile(try folder.open("file"), queue: queue)
    var errors: [Errno] = []
    for number in 0..<20 {
      try file.write(IOBuffer(copying: [1]), at: Int64(number)) { result, _ in
        if case .failure(let error) = result { errors.append(error.errno) }
      }
    }
    try queue.runUntilIdle()
    XCTAssertEqual(errors, [Errno](repeating: .resourceTemporarilyUnavailable, count: 20))
    XCTAssertEqual(try folder.contents(of: "file"), [])
  }

  func test_everythingCompletes_whenEverySignalIsLost() throws {
    let queue = try CompletionQueue(configuration: .init(), system: SilentSystem())
    let file = AIOFile(try folder.open("file"), queue: queue)
    var calls = 0
    for number in 0..<100 {
      try file.write(IOBuffer(copying: [1]), at: Int64(number)) { _, _ in calls += 1 }
      if number % 10 == 0 { try file.sync { _ in calls += 1 } }
    }
    try queue.runUntilIdle()
    XCTAssertEqual(calls, 110)
    XCTAssertEqual(queue.statistics.signalCount, 0)
    XCTAssertGreaterThan(queue.statistics.rescuedCount, 0)
  }
}
