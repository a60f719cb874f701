import CFaults
import Glibc
import PosixAIO
import SystemPackage
import TestSupport
import XCTest

@testable import Reactor

/// Ranges of files that are written to a connection among other bytes.
class FileRangeTestCase: XCTestCase {
  /// A loop with doubts of its own, so that those of another test's file that had the same inode
  /// are none of its.
  final func makeLoop(_ configuration: EventLoop.Configuration = .init()) throws -> EventLoop {
    let loop = try EventLoop(configuration: configuration)
    loop.core.cacheDoubts = CacheDoubts()
    return loop
  }

  /// How much of a file is in the page cache.
  enum Warmth: CaseIterable {
    case warm, cold, firstHalf, secondHalf, everyOtherPart

    /// Which parts of 96 KiB are to be read.
    func includes(_ part: Int, of count: Int) -> Bool {
      switch self {
      case .warm: true
      case .cold: false
      case .firstHalf: part < count / 2
      case .secondHalf: part >= count / 2
      case .everyOtherPart: part.isMultiple(of: 2)
      }
    }
  }

  /// Has a file's pages leave the cache, and reads some of them again. A file system in memory
  /// keeps them all; then a cold file is a warm one.
  final func warm(_ path: FilePath, _ warmth: Warmth) throws {
    let file = try FileDescriptor.open(path, .readOnly)
    defer { close(file.rawValue) }
    XCTAssertEqual(fsync(file.rawValue), 0)
    XCTAssertEqual(posix_fadvise(file.rawValue, 0, 0, POSIX_FADV_DONTNEED), 0)
    // Without reading ahead.
    XCTAssertEqual(posix_fadvise(file.rawValue, 0, 0, POSIX_FADV_RANDOM), 0)
    var part = [UInt8](repeating: 0, count: 96 * 1024)
    let count = (Int(try file.seek(offset: 0, from: .end)) + part.count - 1) / part.count
    for number in 0..<count where warmth.includes(number, of: count) {
      _ = unsafe pread(file.rawValue, &part, part.count, off_t(number * part.count))
    }
  }

  /// Runs the loop until all that was written has come out.
  final func assertReceived(
    _ expected: [UInt8], from socket: AdoptedSocket, _ message: @autoclosure () -> String = "",
    file: StaticString = #filePath, line: UInt = #line
  ) {
    let received = socket.receive(expected.count)
    XCTAssertEqual(received.count, expected.count, message(), file: file, line: line)
    XCTAssertTrue(received == expected, message(), file: file, line: line)
  }
}

/// What became of ranges and buffers, in order.
final class RangeOutcomes {
  private(set) var results: [Result<Int64, PumpError>] = []

  func note(_ result: Result<Int64, PumpError>) { results.append(result) }
}

/// The calls that a range makes, of which a test changes some.
final class FaultyFileCalls: FileCalls, @unchecked Sendable {
  /// Errors to come, each once; the last of them for ever, if that is said. 0 lets a call through.
  var sendErrors: [Int32] = []
  var missingPageErrors: [Int32] = []
  var readErrors: [Int32] = []
  var failsForEver = false
  /// Whether everything is said to be cached.
  var claimsAllIsCached = false
  /// The most bytes that a socket takes at once.
  var sendLimit = Int.max
  /// Called before each sendfile(2).
  var beforeSend: (() -> Void)?
  private(set) var sendCount = 0
  private(set) var missingPageCount = 0

  private func fails(_ errors: inout [Int32]) -> Bool {
    guard let error = errors.first else { return false }
    if !failsForEver || errors.count > 1 { errors.removeFirst() }
    errno = error
    return error != 0
  }

  override func send(_ byteCount: Int, of file: Int32, at offset: Int64, to socket: Int32) -> Int {
    sendCount += 1
    beforeSend?()
    if fails(&sendErrors) { return -1 }
    return super.send(min(byteCount, sendLimit), of: file, at: offset, to: socket)
  }

  override func missingPageCount(of file: Int32, _ range: Range<Int64>) -> Int64 {
    missingPageCount += 1
    if fails(&missingPageErrors) { return -1 }
    return claimsAllIsCached ? 0 : super.missingPageCount(of: file, range)
  }

  override func readCached(
    _ file: Int32, into memory: UnsafeMutableRawBufferPointer, at offset: Int64
  ) -> Int {
    if fails(&readErrors) { return -1 }
    return unsafe super.readCached(file, into: memory, at: offset)
  }
}
