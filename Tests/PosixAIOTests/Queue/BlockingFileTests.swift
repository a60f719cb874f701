import Glibc
import SystemPackage
import TestSupport
import XCTest

@testable import PosixAIO

/// Contract 6 of isolation: pipes that block for ever beside busy files.
final class BlockingFileTests: XCTestCase {
  private var folder: TemporaryDirectory!
  private let ledger = Ledger()

  override func setUpWithError() throws {
    folder = try TemporaryDirectory()
  }

  func test_filesFinish_whileMorePipesBlockThanMayBeInFlight() throws {
    let queue = try CompletionQueue(configuration: .with { $0.readsCacheFirst = false })
    let pipes = try (0..<7).map { _ in try TestPipe() }
    for pipe in pipes {
      let file = AIOFile(pipe.readEnd, queue: queue)
      try file.read(into: IOBuffer(capacity: 3), at: 0, ledger.read(expecting: [1, 2, 3]))
    }
    let file = AIOFile(try folder.open("file"), queue: queue)
    for number in 0..<200 {
      let block = Pattern.block(number, byteCount: 100)
      try file.write(IOBuffer(copying: block), at: Int64(number * 100)) { [ledger] _, buffer in
        let bytes = Array(buffer)
        let place = Int64(number * 100)
        expectSuccess {
          try file.read(into: IOBuffer(capacity: 100), at: place, ledger.read(expecting: bytes))
        }
      }
      if number % 50 == 0 { try file.sync(ledger.sync()) }
    }
    try queue.run { queue.unfinishedCount == 7 }
    XCTAssertEqual(queue.hot.counts.blockingFiles(.reading), queue.configuration.blockingFileLimit)
    XCTAssertEqual(queue.inFlightCount, 4)
    for pipe in pipes { try pipe.write([1, 2, 3]) }
    try queue.runUntilIdle()
    ledger.assertEachOnce()
    ledger.assertAll(.moved(3), in: 0..<7)
    queue.assertIdle()
  }

  func test_everyPipeHasItsTurn_whenPlacesBecomeFree() throws {
    let system = ScriptedSystem()
    let queue = try CompletionQueue(
      configuration: .with { $0.blockingFileLimit = 2 }, system: system)
    let pipes = try (0..<6).map { _ in try TestPipe() }
    for pipe in pipes {
      let file = AIOFile(pipe.readEnd, queue: queue)
      for _ in 0..<3 {
        try file.read(into: IOBuffer(capacity: 1), at: 0, ledger.transfer())
      }
    }
    system.outcome = { _ in .short(0) }
    var seen: Set<Int32> = []
    while queue.unfinishedCount > 0 {
      queue.drain()
      XCTAssertLessThanOrEqual(Set(system.held.map(\.descriptor)).count, 2)
      seen.formUnion(system.held.map(\.descriptor))
      guard queue.unfinishedCount > 0 else { break }
      XCTAssertTrue(system.endFirst(), "a place is free and nobody takes it")
    }
    XCTAssertEqual(seen.count, 6)
    XCTAssertEqual(ledger.called.count, 18)
    queue.assertIdle()
  }

  func test_thirdPipeHasThePlaceThatTheSecondDoesNotTake() throws {
    let system = ScriptedSystem()
    let queue = try CompletionQueue(
      configuration: .with { $0.blockingFileLimit = 1 }, system: system)
    let pipes = try (0..<3).map { _ in try TestPipe() }
    let files = pipes.map { AIOFile($0.readEnd, queue: queue) }
    for file in files {
      try file.read(into: IOBuffer(capacity: 1), at: 0, ledger.transfer())
    }
    let anchor = AIOFile(try folder.open("file"), queue: queue)
    try anchor.write(IOBuffer(copying: [1]), at: 0, ledger.transfer())
    queue.drain()
    system.outcome = { $0.kind == .write ? .real : .short(0) }
    system.endFirst { $0.kind == .read }
    // The second pipe may begin, is not taken, and goes away.
    system.refusal = { _ in .resourceTemporarilyUnavailable }
    queue.drain()
    system.refusal = { _ in nil }
    queue.cancelAll(of: files[1])
    try system.runUntilIdle(queue)
    XCTAssertEqual(
      ledger.entries, [[.moved(0)], [.failed(.canceled)], [.moved(0)], [.moved(1)]])
    queue.assertIdle()
  }

  func test_readThatHasItsDataCompletes_whileTheOthersOfThePipeBlock() throws {
    let queue = try CompletionQueue(configuration: .with { $0.disableBackstop() })
    let pipe = try TestPipe()
    let file = AIOFile(pipe.readEnd, queue: queue)
    for _ in 0..<100 {
      try file.read(into: IOBuffer(capacity: 1), at: 0, ledger.read(expecting: [9]))
    }
    queue.drain()
    for count in 1...100 {
      try pipe.write([9])
      try queue.run { ledger.called.count == count }
    }
    ledger.assertAll(.moved(1))
  }

  func test_writeThatFitsCompletes_whileTheNextOneFindsThePipeFull() throws {
    let queue = try CompletionQueue(configuration: .with { $0.disableBackstop() })
    let (readEnd, writeEnd) = try FileDescriptor.pipe()
    defer { close(readEnd.rawValue) }
    let file = AIOFile(writeEnd, queue: queue)
    let large = Pattern.block(2, byteCount: 1 << 20)
    try file.write(IOBuffer(copying: [1]), at: 0, ledger.transfer())
    try file.write(IOBuffer(copying: large), at: 0, ledger.transfer())
    try queue.run { ledger.called == [0] }
    var found: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while found.count < 1 + large.count {
      let count = try unsafe buffer.withUnsafeMutableBytes { try unsafe readEnd.read(into: $0) }
      found += buffer[..<count]
    }
    try queue.runUntilIdle()
    XCTAssertEqual(ledger.entries, [[.moved(1)], [.moved(large.count)]])
    XCTAssertTrue(found == [1] + large)
  }

  func test_closeWaitsForABlockedRead_andAnAbandonedOneFreesItLater() throws {
    let before = try openDescriptors()
    try {
      let queue = try CompletionQueue()
      let pipe = try TestPipe()
      let file = AIOFile(pipe.readEnd, queue: queue)
      // The helper that ends the first goes on with the second, which so runs for certain.
      try file.read(into: IOBuffer(capacity: 10), at: 0, ledger.transfer())
      let id = try file.read(into: IOBuffer(capacity: 10), at: 0, ledger.transfer())
      queue.drain()
      try pipe.write([1])
      try queue.run { ledger.called == [0] }
      file.close(ledger.sync())
      queue.drain()
      XCTAssertEqual(queue.cancel(id), .notCanceled)
      XCTAssertEqual(queue.cancel(id, abandoning: true), .abandoned)
      try queue.run { ledger.called == [0, 1] }
      XCTAssertEqual(ledger[1], .failed(.canceled))
      XCTAssertEqual(queue.hot.heldByteCount, 10)
      try pipe.write([1])
      try queue.runUntilIdle()
      XCTAssertEqual(ledger[2], .done)
      queue.assertIdle()
    }()
    XCTAssertEqual(try openDescriptors(), before)
  }

  func test_closeOfAPipeIsDone_afterASyncThatItCannotDo() throws {
    let queue = try CompletionQueue()
    // Requests before have left their traces in the slots that are used again.
    let other = AIOFile(try folder.open("file"), queue: queue)
    try other.write(IOBuffer(copying: bytes(1, count: 100)), at: 0, ledger.transfer())
    try queue.runUntilIdle()
    for _ in 0..<10 {
      try other.read(into: IOBuffer(capacity: 100), at: 0, ledger.transfer())
    }
    try queue.runUntilIdle()
    let pipe = try TestPipe()
    let file = AIOFile(pipe.readEnd, queue: queue)
    try file.sync(ledger.sync())
    file.close(ledger.sync())
    try queue.runUntilIdle()
    XCTAssertEqual(ledger[11], .failed(.invalidArgument))
    XCTAssertEqual(ledger[12], .done)
    queue.assertIdle()
  }
}
