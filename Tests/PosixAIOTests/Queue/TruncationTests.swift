import Glibc
import SystemPackage
import TestSupport
import XCTest

@testable import PosixAIO

/// A file that gets shorter while it is read: no count says more than was there.
final class TruncationTests: XCTestCase {
  private static let byteCount = 100_000
  private static let content = Pattern.block(7, byteCount: byteCount)
  private var folder: TemporaryDirectory!
  private let ledger = Ledger()

  override func setUpWithError() throws {
    folder = try TemporaryDirectory()
    try folder.write(Self.content, to: "file")
  }

  /// A handler for a read at a place, that accepts any beginning of what was there. What is cut off
  /// at this moment may be read as zeros, by the kernel's leave.
  private func part(from offset: Int, minimum: Int = 0) -> CompletionQueue.TransferHandler {
    ledger.transfer { entry, found in
      guard case .moved(let count) = entry else { return XCTFail("\(entry)") }
      XCTAssertEqual(count, found.count)
      XCTAssertGreaterThanOrEqual(count, minimum)
      let expected = Self.content[offset...].prefix(count)
      XCTAssertTrue(found.prefix(minimum) == expected.prefix(minimum), "at \(offset)")
      let isRight = zip(found, expected).dropFirst(minimum).allSatisfy { $0 == $1 || $0 == 0 }
      XCTAssertTrue(isRight && expected.count == count, "wrong bytes at \(offset)")
    }
  }

  func test_countsNeverSayMoreThanIsThere_whileTheFileShrinks() throws {
    for readsCacheFirst in [true, false] {
      try folder.write(Self.content, to: "file")
      let queue = try CompletionQueue(
        configuration: .with { $0.readsCacheFirst = readsCacheFirst })
      let descriptor = try folder.open("file")
      let file = AIOFile(descriptor, queue: queue)
      var length = Self.byteCount
      while length > 0 {
        for offset in stride(from: 0, to: Self.byteCount, by: 10_000) {
          // What stays is there for certain.
          let rest = max(0, min(7_000, length - 3333 - offset))
          try file.read(
            into: IOBuffer(capacity: 7_000), at: Int64(offset), part(from: offset, minimum: rest))
        }
        queue.drain(limit: 0)
        length = max(0, length - 3333)
        XCTAssertEqual(ftruncate(descriptor.rawValue, length), 0)
        try queue.runUntilIdle()
      }
      try queue.runUntilIdle()
      ledger.assertEachOnce()
      queue.assertIdle()
    }
  }

  func test_readHasWhatTheCacheGave_whenTheRestIsGone() throws {
    let system = ScriptedSystem()
    let queue = try CompletionQueue(configuration: .init(), system: system)
    let descriptor = try folder.open("file")
    let file = AIOFile(descriptor, queue: queue)
    system.cachedCount = { _ in 1000 }
    try file.read(into: IOBuffer(capacity: 5000), at: 100, part(from: 100))
    queue.drain()
    XCTAssertEqual(system.held.map(\.offset), [1100])
    XCTAssertEqual(system.held.map(\.byteCount), [4000])
    XCTAssertEqual(ftruncate(descriptor.rawValue, 600), 0)
    try system.runUntilIdle(queue)
    XCTAssertEqual(ledger[0], .moved(1000))
  }

  func test_aFalseEndFromTheCacheIsNotBelieved() throws {
    let system = ScriptedSystem(endsAtOnce: true)
    let queue = try CompletionQueue(configuration: .init(), system: system)
    let file = AIOFile(try folder.open("file"), queue: queue)
    // Linux 5.9 could say this.
    system.cachedCount = { _ in 0 }
    try file.read(into: IOBuffer(capacity: 5000), at: 100, part(from: 100, minimum: 5000))
    // The true end is.
    try file.read(
      into: IOBuffer(capacity: 10), at: Int64(Self.byteCount), part(from: Self.byteCount))
    try system.runUntilIdle(queue)
    XCTAssertEqual(ledger.entries, [[.moved(5000)], [.moved(0)]])
    XCTAssertEqual(queue.statistics.cacheHitCount, 1)
  }

  func test_cacheIsNotAskedAgain_whereItCannotTell() throws {
    for reason in [EOPNOTSUPP, ENOSYS, EINVAL] {
      let system = ScriptedSystem(endsAtOnce: true)
      let queue = try CompletionQueue(configuration: .init(), system: system)
      let file = AIOFile(try folder.open("file"), queue: queue)
      var questionCount = 0
      system.cachedCount = { _ in
        questionCount += 1
        errno = reason
        return -1
      }
      let first = ledger.entries.count
      for number in 0..<20 {
        try file.read(
          into: IOBuffer(capacity: 100), at: Int64(number), part(from: number, minimum: 100))
      }
      try system.runUntilIdle(queue)
      ledger.assertAll(.moved(100), in: first..<first + 20)
      XCTAssertEqual(questionCount, 1)
    }
  }
}
