import Glibc
import SystemPackage
import TestSupport
import XCTest

@testable import PosixAIO

/// A file that is closed or detached more than once.
final class FileCloseTests: QueueEndTestCase {
  func test_eachCloseCompletesOnce_afterTheRequestsAndInOrder() throws {
    let queue = try makeQueue()
    let file = AIOFile(try folder.open("file"), queue: queue)
    try file.write(IOBuffer(copying: [1]), at: 0, ledger.transfer())
    for _ in 0..<3 { file.close(ledger.sync()) }
    XCTAssertEqual(ledger.called, [], "no handler is called inside the call")
    try queue.runUntilIdle()
    file.close(ledger.sync())
    XCTAssertEqual(ledger.called, [0, 1, 2, 3], "a close after the end waits for a drain, too")
    try queue.runUntilIdle()
    XCTAssertEqual(ledger.order, [0, 1, 2, 3, 4])
    XCTAssertEqual(ledger.entries, [[.moved(1)], [.done], [.done], [.done], [.done]])
    queue.assertIdle()
  }

  func test_closeInsideTheHandlerOfACloseCompletes() throws {
    let queue = try makeQueue()
    let file = AIOFile(try folder.open("file"), queue: queue)
    let second = ledger.sync()
    file.close { _ in file.close(second) }
    try queue.runUntilIdle()
    ledger.assertAll(.done)
  }

  func test_everyCloseHasTheErrorOfTheFirst() throws {
    let queue = try makeQueue()
    let descriptor = try folder.open("file")
    let file = AIOFile(descriptor, queue: queue)
    // The queue finds its descriptor closed.
    Glibc.close(descriptor.rawValue)
    for _ in 0..<2 { file.close(ledger.sync()) }
    try queue.runUntilIdle()
    file.close(ledger.sync())
    try queue.runUntilIdle()
    ledger.assertAll(.failed(.badFileDescriptor))
  }

  func test_secondCloseLeavesADescriptorAlone_thatGotTheNumberSince() throws {
    let queue = try makeQueue()
    let descriptor = try folder.open("file")
    let file = AIOFile(descriptor, queue: queue)
    file.close(ledger.sync())
    try queue.runUntilIdle()
    let other = try folder.open("file")
    XCTAssertEqual(other.rawValue, descriptor.rawValue)
    file.close(ledger.sync())
    try queue.runUntilIdle()
    ledger.assertAll(.done)
    try other.close()
  }

  func test_detachAfterACloseFails_withEBADF() throws {
    let queue = try makeQueue()
    let file = AIOFile(try folder.open("file"), queue: queue)
    var found: [Result<FileDescriptor, FileError>] = []
    file.close(ledger.sync())
    file.detach { found.append($0) }
    try queue.runUntilIdle()
    file.detach { found.append($0) }
    try queue.runUntilIdle()
    XCTAssertEqual(found.map { $0.failure?.errno }, [.badFileDescriptor, .badFileDescriptor])
    ledger.assertAll(.done)
  }

  func test_closeAfterADetachLeavesTheDescriptorOpen() throws {
    let queue = try makeQueue()
    let file = AIOFile(try folder.open("file"), queue: queue)
    var detached: FileDescriptor?
    var second: Errno?
    file.detach { detached = try? $0.get() }
    file.close(ledger.sync())
    file.detach { second = $0.failure?.errno }
    try queue.runUntilIdle()
    ledger.assertAll(.done)
    XCTAssertEqual(second, .badFileDescriptor)
    try XCTUnwrap(detached).close()
  }

  func test_everyCloseIsCanceled_whenTheQueueEndsWithAReadInFlight() throws {
    let pipe = try TestPipe()
    let queue = try makeQueue()
    let file = AIOFile(pipe.readEnd, queue: queue)
    try blockRead(of: pipe, file)
    for _ in 0..<2 { file.close(ledger.sync()) }
    queue.beginEnd()
    file.close(ledger.sync())
    end(queue)
    file.close(ledger.sync())
    ledger.assertAll(.failed(.canceled))
    try pipe.write([1])
    try sweepUntilEmpty()
  }

  func test_closeAfterTheQueuesEndCompletesAtOnce_eachTime() throws {
    let queue = try makeQueue()
    let file = AIOFile(try folder.open("file"), queue: queue)
    end(queue)
    for _ in 0..<2 { file.close(ledger.sync()) }
    var found: Errno?
    file.detach { found = $0.failure?.errno }
    ledger.assertAll(.done)
    XCTAssertEqual(found, .badFileDescriptor)
  }
}
