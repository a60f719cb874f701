import Glibc
import SystemPackage
import TestSupport
import XCTest

@testable import PosixAIO

/// Who closes a file's descriptors, and when.
final class SharedDescriptorTests: XCTestCase {
  private var folder: TemporaryDirectory!
  private let ledger = Ledger()

  override func setUpWithError() throws {
    folder = try TemporaryDirectory()
  }

  private func isOpen(_ descriptor: FileDescriptor) -> Bool {
    fcntl(descriptor.rawValue, F_GETFD) >= 0
  }

  func test_descriptorIsClosedWithItsLastReference() throws {
    let before = try openDescriptors()
    let number = try folder.open("file")
    var first: SharedDescriptor? = SharedDescriptor(number)
    var second = first
    XCTAssertEqual(first?.descriptor, number)
    first = nil
    XCTAssertTrue(isOpen(number))
    XCTAssertNotNil(second)
    second = nil
    XCTAssertEqual(try openDescriptors(), before)
  }

  func test_closeClosesOnce_andNeverTheNextOwnersDescriptor() throws {
    let shared = SharedDescriptor(try folder.open("file"))
    try shared.close()
    let next = try folder.open("other")
    XCTAssertEqual(next, shared.descriptor, "the number is used again")
    try shared.close()
    XCTAssertTrue(isOpen(next))
    try next.close()
  }

  func test_closeSaysWhatTheKernelSays() throws {
    let number = try folder.open("file")
    let shared = SharedDescriptor(number)
    try number.close()
    XCTAssertThrowsError(try shared.close()) { XCTAssertEqual($0 as? Errno, .badFileDescriptor) }
  }

  func test_lentDescriptorStaysOpen_whenItsFileIsDropped() throws {
    let before = try openDescriptors()
    let queue = try CompletionQueue()
    var lent: SharedDescriptor.Use?
    try {
      let file = AIOFile(try folder.open("file"), queue: queue)
      lent = try file.lendDescriptor()
    }()
    let descriptor = try XCTUnwrap(lent).descriptor
    XCTAssertTrue(isOpen(descriptor))
    XCTAssertEqual(try descriptor.writeAll([1, 2]), 2)
    lent = nil
    XCTAssertFalse(isOpen(descriptor))
    withExtendedLifetime(queue) {}
    XCTAssertGreaterThanOrEqual(try openDescriptors().count, before.count)
  }

  func test_closeWaitsForALentDescriptor() throws {
    let queue = try CompletionQueue()
    let file = AIOFile(try folder.open("file"), queue: queue)
    var lent: SharedDescriptor.Use? = try file.lendDescriptor()
    let descriptor = try XCTUnwrap(lent).descriptor
    file.close(ledger.sync())
    queue.drain()
    XCTAssertEqual(ledger.called, [])
    XCTAssertThrowsError(try file.lendDescriptor()) {
      XCTAssertEqual($0 as? Errno, .badFileDescriptor)
    }
    XCTAssertTrue(isOpen(descriptor))
    lent = nil
    file.giveBackDescriptor()
    queue.drain()
    XCTAssertEqual(ledger[0], .done)
    XCTAssertFalse(isOpen(descriptor))
  }

  func test_descriptorIsClosedWithItsLastUse_whenItWasClosedUnderOne() throws {
    let shared = SharedDescriptor(try folder.open("file"))
    var use: SharedDescriptor.Use? = SharedDescriptor.Use(shared)
    try shared.close()
    XCTAssertTrue(isOpen(shared.descriptor))
    XCTAssertNotNil(use)
    use = nil
    XCTAssertFalse(isOpen(shared.descriptor))
  }

  // MARK: The duplicates

  /// A file with several lanes, and none of its operations in flight.
  private func makeFileWithDuplicates(_ queue: CompletionQueue) throws -> AIOFile {
    try folder.write(bytes(1, count: 100), to: "file")
    let file = AIOFile(try folder.open("file"), queue: queue)
    for _ in 0..<8 { try file.read(into: IOBuffer(capacity: 10), at: 0) { _, _ in } }
    try queue.runUntilIdle()
    XCTAssertGreaterThan(file.lanes.count, 1)
    return file
  }

  private func makeQueue() throws -> CompletionQueue {
    try CompletionQueue(configuration: .with { $0.readsCacheFirst = false })
  }

  func test_detachAllGivesEveryDescriptor_toBeClosedOnAnotherThread() throws {
    let queue = try makeQueue()
    let before = try openDescriptors()
    let file = try makeFileWithDuplicates(queue)
    var descriptors: ClosingDescriptors?
    file.detachAll { descriptors = $0 }
    queue.drain()
    let given = try XCTUnwrap(descriptors)
    descriptors = nil
    XCTAssertEqual(given.first.map(isOpen), true)
    XCTAssertGreaterThan(try openDescriptors().count, before.count + 1)
    try OtherThread.run { expectSuccess { try given.close() } }
    XCTAssertEqual(try openDescriptors(), before)
    // Numbers that others may have by now.
    try given.close()
    let next = try folder.open("other")
    try given.close()
    XCTAssertTrue(isOpen(next))
    try next.close()
  }

  func test_droppedClosingDescriptorsAreClosed() throws {
    let queue = try makeQueue()
    let before = try openDescriptors()
    let file = try makeFileWithDuplicates(queue)
    file.detachAll { _ in }
    queue.drain()
    XCTAssertEqual(try openDescriptors(), before)
  }

  func test_errorOfADuplicatesCloseIsTheCloseError_andTheOthersAreClosed() throws {
    let queue = try makeQueue()
    let before = try openDescriptors()
    let file = try makeFileWithDuplicates(queue)
    // Closed behind the file's back, so that its close(2) fails.
    XCTAssertEqual(close(file.lanes.descriptor(1)), 0)
    file.close(ledger.sync())
    queue.drain()
    XCTAssertEqual(ledger[0], .failed(.badFileDescriptor))
    XCTAssertEqual(try openDescriptors(), before)
  }

  func test_detachClosesTheDuplicates_andGivesTheFirst() throws {
    let queue = try makeQueue()
    let before = try openDescriptors()
    let file = try makeFileWithDuplicates(queue)
    var descriptor: FileDescriptor?
    file.detach { result in
      XCTAssertEqual(try? result.get(), FileDescriptor(rawValue: file.lanes.first))
      descriptor = try? result.get()
    }
    queue.drain()
    XCTAssertEqual(try openDescriptors().count, before.count + 1)
    try XCTUnwrap(descriptor).close()
  }
}
