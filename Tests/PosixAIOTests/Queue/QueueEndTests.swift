import Glibc
import SystemPackage
import TestSupport
import XCTest

@testable import PosixAIO

/// The end of a queue: every request is completed, and everything is given back but for what the
/// kernel holds.
final class QueueEndTests: QueueEndTestCase {
  // MARK: What is in flight

  func test_readOfAnEmptyPipeIsCanceled_andItsMemoryOutlivesTheQueue() throws {
    let before = try openDescriptors()
    let pipe = try TestPipe()
    let atStart = try openDescriptors()
    weak var dropped: CompletionQueue?
    try {
      let queue = try makeQueue()
      dropped = queue
      let file = AIOFile(pipe.readEnd, queue: queue)
      try blockRead(of: pipe, file)
      end(queue)
      XCTAssertEqual(ledger.entries, [[.failed(.canceled)]])
    }()
    XCTAssertNil(dropped)
    XCTAssertEqual(Orphanage.operationCount, 1)
    XCTAssertEqual(try openDescriptors(), atStart, "the pipe alone is open")
    Orphanage.sweep()
    XCTAssertEqual(Orphanage.operationCount, 1)
    try pipe.write(bytes(7, count: 100))
    try sweepUntilEmpty()
    XCTAssertEqual(try openDescriptors().count, before.count + 1, "only the write end is left")
    ledger.assertEachOnce()
  }

  func test_signalNumbersDoNotRunOut_whileQueuesEndWithReadsInFlight() throws {
    let before = try openDescriptors()
    try {
      var pipes: [TestPipe] = []
      // A pipe without a reader would end the process that writes to it.
      var readers: [SharedDescriptor] = []
      for number in 0..<40 {
        let pipe = try TestPipe()
        pipes.append(pipe)
        readers.append(SharedDescriptor(try pipe.readEnd.duplicate()))
        let queue = try makeQueue()
        let file = AIOFile(pipe.readEnd, queue: queue)
        if number < 16 {
          try blockRead(of: pipe, file)
        } else {
          // It may find no helper thread, and is cancelled then.
          try file.read(into: IOBuffer(capacity: 10), at: 0, ledger.transfer())
          queue.drain()
        }
        end(queue)
      }
      ledger.assertAll(.failed(.canceled))
      XCTAssertGreaterThanOrEqual(Orphanage.operationCount, 16)
      // The signals that come now are nobody's, and end nobody.
      for pipe in pipes { try pipe.write([1]) }
      try sweepUntilEmpty()
    }()
    XCTAssertEqual(try openDescriptors(), before)
  }

  func test_lateSignalOfAnEarlierQueueDoesNoHarm_toTheNextOneWithItsNumber() throws {
    let pipe = try TestPipe()
    let first = try makeQueue()
    let number = first.signal.number
    let file = AIOFile(pipe.readEnd, queue: first)
    try blockRead(of: pipe, file)
    end(first)
    for _ in 0..<2 {
      let second = try makeQueue { $0.signal = number }
      let file = AIOFile(try folder.open("file"), queue: second)
      try file.write(IOBuffer(copying: [1]), at: 0, ledger.transfer())
      if Orphanage.operationCount > 0 { try pipe.write([1]) }
      try second.runUntilIdle()
    }
    try sweepUntilEmpty()
    XCTAssertEqual(ledger.entries, [[.failed(.canceled)], [.moved(1)], [.moved(1)]])
  }

  func test_manyReadsOfOnePipeLeaveOneInTheKernel() throws {
    let pipe = try TestPipe()
    // No read may have begun; then the pipe would have no reader, which ends the process that
    // writes to it.
    let reader = SharedDescriptor(try pipe.readEnd.duplicate())
    defer { withExtendedLifetime(reader) {} }
    let queue = try makeQueue()
    let file = AIOFile(pipe.readEnd, queue: queue)
    for _ in 0..<100 {
      try file.read(into: IOBuffer(capacity: 10), at: 0, ledger.transfer())
    }
    queue.drain()
    end(queue)
    ledger.assertAll(.failed(.canceled))
    XCTAssertLessThanOrEqual(Orphanage.operationCount, 1)
    try pipe.write([1])
    try sweepUntilEmpty()
  }

  func test_retireWaitsForRegularFiles() throws {
    let queue = try makeQueue { $0.readsCacheFirst = false }
    let file = AIOFile(try folder.open("file"), queue: queue)
    for number in 0..<50 {
      try file.write(
        IOBuffer(copying: bytes(number, count: 40_000)), at: Int64(number * 40_000),
        ledger.transfer())
      try file.sync(ledger.sync())
    }
    queue.drain()
    end(queue, waitingAtMost: testDeadline)
    XCTAssertEqual(Orphanage.operationCount, 0)
    ledger.assertEachOnce()
  }

  func test_everythingIsBack_after300QueuesThatEndWithDiskReadsInFlight() throws {
    try folder.write(bytes(1, count: 1 << 20), to: "file")
    let before = try openDescriptors()
    for _ in 0..<300 {
      let queue = try makeQueue { $0.readsCacheFirst = false }
      let file = AIOFile(try folder.open("file"), queue: queue)
      for number in 0..<32 {
        try file.read(
          into: IOBuffer(capacity: 4096), at: Int64(number * 32_768), ledger.transfer())
      }
      queue.drain(limit: 0)
      end(queue)
    }
    ledger.assertEachOnce()
    try sweepUntilEmpty()
    XCTAssertEqual(try openDescriptors(), before)
  }
}
