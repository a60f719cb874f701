import Glibc
import SystemPackage
import TestSupport
import XCTest

@testable import PosixAIO

/// Cancellation in glibc itself, when every helper thread is stuck: the state in which a careless
/// `aio_cancel(3)` makes glibc forget operations.
final class SaturationTests: XCTestCase {
  private static let pipeCount = 8
  private var folder: TemporaryDirectory!
  private let ledger = Ledger()
  private var queue: CompletionQueue!
  private var pipes: [TestPipe] = []
  private var saturation: HelperSaturation?

  override func setUpWithError() throws {
    folder = try TemporaryDirectory()
    queue = try CompletionQueue(
      configuration: .with {
        $0.readsCacheFirst = false
        $0.mergesWrites = false
        $0.blockingFileLimit = Self.pipeCount
        $0.inFlightLimit = 1024
        $0.disableBackstop()
      })
    saturation = try HelperSaturation()
    pipes = try (0..<Self.pipeCount).map { _ in try TestPipe() }
    for pipe in pipes {
      let file = AIOFile(pipe.readEnd, queue: queue)
      try file.read(into: IOBuffer(capacity: 1), at: 0, ledger.read(expecting: [1]))
    }
    queue.drain()
  }

  override func tearDown() {
    // XCTest keeps its test cases to the end, and a queue its signal as long as it lives.
    folder = nil
    try? saturation?.release()
    saturation = nil
    pipes = []
    queue = nil
  }

  private func release() throws {
    try saturation?.release()
    for pipe in pipes { try pipe.write([1]) }
    try queue.runUntilIdle()
    ledger.assertEachOnce()
    ledger.assertAll(.moved(1), in: 0..<Self.pipeCount)
    queue.assertIdle()
  }

  func test_nothingIsLost_whateverIsCancelledInAnyOrder() throws {
    let seed = testSeed()
    var random = SeededGenerator(seed: seed)
    var ids: [(id: RequestID, file: Int, number: Int)] = []
    var cancelled: Set<Int> = []
    let files = try (0..<10).map { AIOFile(try folder.open("\($0)"), queue: queue) }
    for number in 0..<300 {
      let file = number % 10
      let id = try files[file].write(
        IOBuffer(copying: bytes(number + 1)), at: Int64(number / 10), ledger.transfer())
      ids.append((id, file, number))
    }
    queue.drain()
    XCTAssertEqual(queue.inFlightCount, Self.pipeCount + 300)
    for (id, _, number) in ids.shuffled(using: &random) where random.oneIn(2) {
      switch queue.cancel(id) {
      case .canceled: cancelled.insert(number)
      case .notCanceled: break
      case let status: XCTFail("\(status), seed \(seed)")
      }
    }
    XCTAssertFalse(cancelled.isEmpty, "seed \(seed)")
    try release()
    for number in 0..<300 {
      let entry = ledger[Self.pipeCount + number]
      XCTAssertEqual(
        entry, cancelled.contains(number) ? .failed(.canceled) : .moved(1), "seed \(seed)")
    }
    for file in 0..<10 {
      var expected: [UInt8] = []
      for number in stride(from: file, to: 300, by: 10) where !cancelled.contains(number) {
        let place = number / 10
        expected += bytes(0, count: place + 1 - expected.count)
        expected[place] = UInt8(truncatingIfNeeded: number + 1)
      }
      XCTAssertEqual(try folder.contents(of: "\(file)"), expected, "seed \(seed)")
    }
  }

  func test_cancelAllTakesBackWhatDoesNotRun_andTheFileGoesOn() throws {
    let file = AIOFile(try folder.open("file"), queue: queue)
    for number in 0..<40 {
      try file.write(IOBuffer(copying: [1]), at: Int64(number), ledger.transfer())
    }
    queue.drain()
    queue.cancelAll(of: file)
    try queue.run { queue.unfinishedCount == Self.pipeCount }
    ledger.assertAll(.failed(.canceled), in: Self.pipeCount..<Self.pipeCount + 40)
    for number in 0..<40 {
      try file.write(IOBuffer(copying: [2]), at: Int64(number), ledger.transfer())
    }
    try file.sync(ledger.sync())
    try release()
    ledger.assertAll(.moved(1), in: Self.pipeCount + 40..<Self.pipeCount + 80)
    XCTAssertEqual(try folder.contents(of: "file"), bytes(2, count: 40))
  }

  func test_cancelAllTakesBackASyncThatHasNotBegun_withAndWithoutWritesBeforeIt() throws {
    let files = try (0..<6).map { AIOFile(try folder.open("\($0)"), queue: queue) }
    let first = Self.pipeCount
    for (number, file) in files.enumerated() {
      for place in 0..<number {
        try file.write(IOBuffer(copying: [1]), at: Int64(place * 10), ledger.transfer())
      }
      try file.sync(ledger.sync())
    }
    queue.drain()
    for file in files { queue.cancelAll(of: file) }
    // Without a signal, and long before the backstop.
    queue.drain(limit: .max)
    XCTAssertEqual(queue.unfinishedCount, Self.pipeCount)
    ledger.assertAll(.failed(.canceled), in: first..<ledger.entries.count)
    let second = ledger.entries.count
    for file in files { try file.sync(ledger.sync()) }
    try release()
    ledger.assertAll(.done, in: second..<second + files.count)
  }

  func test_deadlinesAreAnsweredAndNothingIsLost() throws {
    let file = AIOFile(try folder.open("file"), queue: queue)
    for number in 0..<40 {
      try file.write(
        IOBuffer(copying: [1]), at: Int64(number), timeout: .milliseconds(1 + number % 3),
        ledger.transfer())
    }
    try queue.run { queue.unfinishedCount == Self.pipeCount }
    ledger.assertAll(.failed(.timedOut), in: Self.pipeCount..<Self.pipeCount + 40)
    try file.write(IOBuffer(copying: [2]), at: 100, ledger.transfer())
    try release()
    XCTAssertEqual(try folder.contents(of: "file").last, 2)
  }
}
