import CFaults
import Glibc
import SystemPackage
import TestSupport
import XCTest

@testable import PosixAIO

/// Contract 7 on a disk that is full: what was written is there, the errors tell how much that is,
/// and no later sync says that all is well.
final class FullDiskTests: XCTestCase {
  private static let pageByteCount = 4096
  private static let pageCount = 16
  private var disk: Int32 = -1
  private let ledger = Ledger()

  override func setUpWithError() throws {
    disk = cfaults_small_disk(Self.pageByteCount * Self.pageCount)
    guard disk >= 0 else {
      throw XCTSkip("no tmpfs of its own: \(Errno(rawValue: errno))")
    }
  }

  override func tearDown() {
    if disk >= 0 { close(disk) }
  }

  private func open(
    _ name: String, options: FileDescriptor.OpenOptions = [.create]
  ) throws -> FileDescriptor {
    try FileDescriptor.open(
      FilePath("/proc/self/fd/\(disk)/\(name)"), .readWrite, options: options,
      permissions: .ownerReadWrite)
  }

  private func contents(of name: String) throws -> [UInt8] {
    let file = try open(name)
    defer { close(file.rawValue) }
    var bytes = [UInt8](repeating: 0, count: Int(try file.seek(offset: 0, from: .end)))
    let count = try unsafe bytes.withUnsafeMutableBytes {
      try unsafe file.read(fromAbsoluteOffset: 0, into: $0)
    }
    return Array(bytes[..<count])
  }

  func test_largeWriteTellsHowMuchIsInTheFile_andLaterSyncsFailUntilItIsReopened() throws {
    let queue = try CompletionQueue()
    let file = AIOFile(try open("file"), queue: queue)
    let space = Self.pageByteCount * Self.pageCount
    let first = Pattern.block(1, byteCount: 10_000)
    let large = Pattern.block(2, byteCount: 2 * space)
    try file.write(IOBuffer(copying: first), at: 0, ledger.transfer())
    try file.sync(ledger.sync())
    try queue.runUntilIdle()
    try file.write(IOBuffer(copying: large), at: 10_000, ledger.transfer())
    try file.sync(ledger.sync())
    try file.dataSync(ledger.sync())
    try queue.runUntilIdle()
    try file.sync(ledger.sync())
    try queue.runUntilIdle()
    XCTAssertEqual(
      ledger.entries,
      [
        [.moved(10_000)], [.done], [.failed(.noSpace, byteCountDone: space - 10_000)],
        [.failed(.noSpace)], [.failed(.noSpace)], [.failed(.noSpace)],
      ])
    XCTAssertTrue(try contents(of: "file") == first + large.prefix(space - 10_000))
    let reopened = AIOFile(try open("file"), queue: queue)
    try reopened.sync(ledger.sync())
    try queue.runUntilIdle()
    XCTAssertEqual(ledger[6], .done)
    queue.assertIdle()
  }

  func test_mergedWritesBeforeTheEndOfTheDiskSucceed_andThoseBehindAreTriedAlone() throws {
    let page = Self.pageByteCount
    let queue = try CompletionQueue()
    let descriptor = try open("file")
    // Six of sixteen pages are taken, further behind.
    for number in 20..<26 {
      try descriptor.writeAll(toAbsoluteOffset: Int64(number * page), bytes(255, count: page))
    }
    let file = AIOFile(descriptor, queue: queue)
    for number in 0..<26 {
      try file.write(
        IOBuffer(copying: bytes(number + 1, count: page)), at: Int64(number * page),
        ledger.transfer())
    }
    try queue.runUntilIdle()
    ledger.assertAll(.moved(page), in: 0..<10)
    ledger.assertAll(.failed(.noSpace), in: 10..<20)
    ledger.assertAll(.moved(page), in: 20..<26)
    // 26 writes in three operations.
    XCTAssertEqual(queue.statistics.mergedWriteCount, 23)
    let expected = (0..<26).flatMap { bytes((10..<20).contains($0) ? 0 : $0 + 1, count: page) }
    XCTAssertTrue(try contents(of: "file") == expected)
    queue.assertIdle()
  }

  func test_theOneInTheMiddleTellsItsOwnBytes() throws {
    try writeOneThousandEach(options: [.create])
  }

  func test_theOneInTheMiddleTellsItsOwnBytes_whenAppending() throws {
    try writeOneThousandEach(options: [.create, .append])
  }

  private func writeOneThousandEach(options: FileDescriptor.OpenOptions) throws {
    let space = Self.pageByteCount * Self.pageCount
    let queue = try CompletionQueue()
    let file = AIOFile(try open("file", options: options), queue: queue)
    for number in 0..<100 {
      let block = Pattern.block(number, byteCount: 1000)
      try file.write(IOBuffer(copying: block), at: Int64(number * 1000), ledger.transfer())
    }
    try file.sync(ledger.sync())
    file.close(ledger.sync())
    try queue.runUntilIdle()
    let fitting = space / 1000
    ledger.assertAll(.moved(1000), in: 0..<fitting)
    XCTAssertEqual(ledger[fitting], .failed(.noSpace, byteCountDone: space % 1000))
    ledger.assertAll(.failed(.noSpace), in: fitting + 1..<101)
    XCTAssertEqual(ledger[101], .done)
    let expected = (0..<100).flatMap { Pattern.block($0, byteCount: 1000) }.prefix(space)
    XCTAssertTrue(try contents(of: "file") == Array(expected))
    queue.assertIdle()
  }
}
