import Glibc
import SystemPackage
import TestSupport
import XCTest

@testable import PosixAIO

extension CompletionQueue.Configuration {
  /// The defaults, changed.
  static func with(_ change: (inout Self) -> Void) -> Self {
    var configuration = Self()
    change(&configuration)
    return configuration
  }

  /// Makes sure that what arrives was announced: the backstop looks too late for any test.
  mutating func disableBackstop() {
    backstopFloor = .seconds(3600)
    backstopCeiling = .seconds(3600)
  }
}

extension CompletionQueue {
  /// Asserts that every buffer was given back and that nothing is counted that is not there.
  func assertIdle(
    _ message: @autoclosure () -> String = "", file: StaticString = #filePath, line: UInt = #line
  ) {
    XCTAssertEqual(unfinishedCount, 0, message(), file: file, line: line)
    XCTAssertEqual(hot.heldByteCount, 0, message(), file: file, line: line)
    XCTAssertEqual(inFlightCount, 0, message(), file: file, line: line)
    XCTAssertEqual(waitingCount, 0, message(), file: file, line: line)
    XCTAssertEqual(hot.counts, QueueCounts(), message(), file: file, line: line)
    XCTAssertTrue(checkCounts(), message(), file: file, line: line)
    XCTAssertTrue(hot.inFlight.isEmpty, message(), file: file, line: line)
    XCTAssertNil(hot.deadlines.earliest, message(), file: file, line: line)
  }

  /// Whether a loop would call `drain` now.
  var isReadable: Bool {
    var polled = pollfd(fd: descriptor.rawValue, events: Int16(POLLIN), revents: 0)
    return unsafe poll(&polled, 1, 0) == 1
  }
}

extension Result {
  /// Why it is a failure.
  var failure: Failure? {
    if case .failure(let error) = self { error } else { nil }
  }
}

/// A pipe whose reader has nothing to read until the test writes.
final class TestPipe {
  let readEnd: FileDescriptor
  let writeEnd: FileDescriptor

  init() throws {
    (readEnd, writeEnd) = try FileDescriptor.pipe()
  }

  deinit {
    // The read end is the file's.
    close(writeEnd.rawValue)
  }

  func write(_ bytes: [UInt8]) throws {
    _ = try writeEnd.writeAll(bytes)
  }
}

/// `[7, 7, 7, …]`.
func bytes(_ value: Int, count: Int = 1) -> [UInt8] {
  [UInt8](repeating: UInt8(truncatingIfNeeded: value), count: count)
}

/// For handlers, which cannot throw: fails the test instead.
func expectSuccess(
  file: StaticString = #filePath, line: UInt = #line, _ body: () throws -> Void
) {
  do { try body() } catch { XCTFail("\(error)", file: file, line: line) }
}
