import Glibc
import SystemPackage
import TestSupport
import XCTest

@testable import PosixAIO

/// No descriptor is to be had for another lane.
final class DescriptorShortageTests: XCTestCase {
  private static let blockByteCount = 4096
  private static let blockCount = 64
  private var folder: TemporaryDirectory!
  private let ledger = Ledger()

  override func setUpWithError() throws {
    folder = try TemporaryDirectory()
    let blocks = (0..<Self.blockCount).flatMap { Pattern.block($0, byteCount: Self.blockByteCount) }
    try folder.write(blocks, to: "file")
  }

  private func readAll(of file: AIOFile) throws {
    for number in 0..<Self.blockCount {
      try file.read(
        into: IOBuffer(capacity: Self.blockByteCount), at: Int64(number * Self.blockByteCount),
        ledger.read(expecting: Pattern.block(number, byteCount: Self.blockByteCount)))
    }
  }

  private func descriptorsUsed(_ system: ScriptedSystem) -> Int {
    Set(system.held.map(\.descriptor)).count
  }

  func test_readsGoOnWithTheLanesThatThereAre_andOthersComeLater() throws {
    let before = try openDescriptors()
    try {
      let system = ScriptedSystem()
      let queue = try CompletionQueue(
        configuration: .with {
          $0.readsCacheFirst = false
          $0.lanesPerFile = 8
        }, system: system)
      let file = AIOFile(try folder.open("file"), queue: queue)
      // Room for two more. What is lowered is the highest number, so holes are filled first.
      try withDescriptorsLeft(2) {
        try readAll(of: file)
        queue.drain()
        XCTAssertEqual(descriptorsUsed(system), 3)
        try system.runUntilIdle(queue)
        try readAll(of: file)
        try file.sync(ledger.sync())
        queue.drain()
        XCTAssertEqual(descriptorsUsed(system), 3)
        try system.runUntilIdle(queue)
      }
      try readAll(of: file)
      queue.drain()
      XCTAssertEqual(descriptorsUsed(system), 8)
      file.close(ledger.sync())
      try system.runUntilIdle(queue)
      ledger.assertEachOnce()
      XCTAssertEqual(ledger.entries.count { $0 == [.moved(Self.blockByteCount)] }, 192)
      XCTAssertEqual(ledger.entries.count { $0 == [.done] }, 2)
      queue.assertIdle()
    }()
    XCTAssertEqual(try openDescriptors(), before)
  }

  func test_everythingCompletes_withoutAnyLane() throws {
    let queue = try CompletionQueue(configuration: .with { $0.readsCacheFirst = false })
    let file = AIOFile(try folder.open("file"), queue: queue)
    try withDescriptorsLeft(0) {
      for _ in 0..<5 {
        try readAll(of: file)
        try file.write(
          IOBuffer(copying: Pattern.block(0, byteCount: 100)), at: 0, ledger.transfer())
        try file.sync(ledger.sync())
      }
      try queue.runUntilIdle()
    }
    ledger.assertEachOnce()
    XCTAssertEqual(ledger.entries.count { $0 == [.moved(Self.blockByteCount)] }, 320)
    XCTAssertEqual(ledger.entries.count { $0 == [.moved(100)] }, 5)
    XCTAssertEqual(ledger.entries.count { $0 == [.done] }, 5)
    queue.assertIdle()
  }

  func test_queueIsNotMade_andNothingStaysBehind_whenItsDescriptorsAreNotToBeHad() throws {
    let before = try openDescriptors()
    for count in 0..<5 {
      try withDescriptorsLeft(count) {
        XCTAssertThrowsError(try CompletionQueue()) {
          XCTAssertEqual($0 as? Errno, .tooManyOpenFiles)
        }
      }
    }
    XCTAssertEqual(try openDescriptors(), before)
  }
}

extension XCTestCase {
  /// Runs `body` when only so many descriptors can be opened.
  func withDescriptorsLeft(_ count: Int, _ body: () throws -> Void) throws {
    let open = try descriptorNumbers()
    let limit = (open.max() ?? 0) + 1
    let fillers = try (0..<limit - open.count).map { _ in
      try FileDescriptor.open(FilePath("/dev/null"), .readOnly)
    }
    defer { fillers.forEach { close($0.rawValue) } }
    try ResourceLimit.openFiles.lowered(to: UInt(limit + count), body)
  }
}
