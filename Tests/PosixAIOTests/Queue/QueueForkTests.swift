import CFaults
import Glibc
import SystemPackage
import TestSupport
import XCTest

@testable import PosixAIO

/// Contract 10, fork. The child has glibc's table, but none of its helper threads.
final class QueueForkTests: XCTestCase {
  /// What the child does with a file of the parent's.
  private final class Child {
    let file: AIOFile

    init(_ file: AIOFile) {
      self.file = file
    }

    /// - Returns: 0 if everything is refused as it has to be.
    func run() -> Int32 {
      var refusedCount: Int32 = 0
      func expectRefusal(_ body: () throws(Errno) -> RequestID) {
        do throws(Errno) { _ = try body() } catch {
          if error == .notSupported { refusedCount += 1 }
        }
      }
      let calls = file.queue.unfinishedCount
      expectRefusal { () throws(Errno) in
        try file.write(IOBuffer(copying: [1]), at: 0) { _, _ in }
      }
      expectRefusal { () throws(Errno) in
        try file.read(into: IOBuffer(capacity: 1), at: 0) { _, _ in }
      }
      expectRefusal { () throws(Errno) in try file.sync { _ in } }
      expectRefusal { () throws(Errno) in try file.dataSync { _ in } }
      guard refusedCount == 4 else { return 10 + refusedCount }
      return file.queue.unfinishedCount == calls ? 0 : 1
    }
  }

  /// Forks a child that tries its luck, and returns its wait status.
  private func forkChild(_ file: AIOFile) throws -> Int32 {
    let child = Child(file)
    let context = unsafe Unmanaged.passUnretained(child).toOpaque()
    let seconds = UInt32(testDeadline.components.seconds)
    let id = unsafe cfaults_fork(
      { context in
        guard let context = unsafe context else { return 99 }
        return unsafe Unmanaged<Child>.fromOpaque(context).takeUnretainedValue().run()
      }, context, seconds)
    guard id > 0 else { throw Errno(rawValue: errno) }
    var status: Int32 = 0
    while unsafe waitpid(id, &status, 0) < 0 {
      guard errno == EINTR else { throw Errno(rawValue: errno) }
    }
    withExtendedLifetime(child) {}
    return status
  }

  func test_childIsRefusedAndEnds_andTheParentsRequestsAllComplete() throws {
    let folder = try TemporaryDirectory()
    let ledger = Ledger()
    let queue = try CompletionQueue(configuration: .with { $0.readsCacheFirst = false })
    let pipe = try TestPipe()
    let stuck = AIOFile(pipe.readEnd, queue: queue)
    try stuck.read(into: IOBuffer(capacity: 1), at: 0, ledger.read(expecting: [5]))
    let file = AIOFile(try folder.open("file"), queue: queue)
    for number in 0..<200 {
      let block = Pattern.block(number, byteCount: 1000)
      try file.write(IOBuffer(copying: block), at: Int64(number * 1000), ledger.transfer())
      if number % 50 == 0 {
        try file.sync(ledger.sync())
        queue.drain()
        // In the middle of what is in flight; the pipe's read is for certain.
        XCTAssertEqual(try forkChild(file), 0)
      }
    }
    try queue.run { queue.unfinishedCount == 1 }
    for number in 0..<200 {
      let block = Pattern.block(number, byteCount: 1000)
      try file.read(
        into: IOBuffer(capacity: 1000), at: Int64(number * 1000), ledger.read(expecting: block))
    }
    XCTAssertEqual(try forkChild(file), 0)
    try pipe.write([5])
    try queue.runUntilIdle()
    ledger.assertEachOnce()
    XCTAssertEqual(ledger.entries.count { $0 == [.moved(1000)] }, 400)
    XCTAssertEqual(ledger.entries.count { $0 == [.done] }, 4)
    XCTAssertEqual(ledger[0], .moved(1))
    XCTAssertTrue(
      try folder.contents(of: "file")
        == (0..<200).flatMap { Pattern.block($0, byteCount: 1000) })
    queue.assertIdle()
  }
}
