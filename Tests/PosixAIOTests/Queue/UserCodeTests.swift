import Glibc
import SystemPackage
import TestSupport
import XCTest

@testable import PosixAIO

/// Code of the user's that runs inside a drain: observers, handlers, and what goes with a handler.
/// Whatever it does, each request completes once. Debug builds count after each drain.
final class UserCodeTests: ScriptedQueueTestCase {
  /// Does something each time it is told of an operation.
  private final class Observer: CompletionQueueObserver {
    var seenCount = 0
    var body: (CompletionQueue) -> Void

    init(_ body: @escaping (CompletionQueue) -> Void) { self.body = body }

    func queue(
      _ queue: CompletionQueue, finished operation: FileError.Operation, waiting: Duration,
      service: Duration
    ) {
      seenCount += 1
      body(queue)
    }
  }

  private func writeSome(_ count: Int) throws -> [RequestID] {
    try (0..<count).map { number in
      try file.write(IOBuffer(copying: [1]), at: Int64(number * 10), ledger.transfer())
    }
  }

  func test_observerMayCancel_andEveryHandlerIsCalled() throws {
    try makeQueue { $0.disableBackstop() }
    let ids = try writeSome(32)
    let observer = Observer { queue in for id in ids { queue.cancel(id, abandoning: true) } }
    queue.observer = observer
    queue.drain()
    system.endAll()
    try queue.run { queue.unfinishedCount == 0 }
    ledger.assertEachOnce()
    try settle()
    XCTAssertEqual(observer.seenCount, 32)
  }

  func test_observerMaySubmitAndCloseAndGo() throws {
    try makeQueue { $0.disableBackstop() }
    let other = AIOFile(try folder.open("other"), queue: queue)
    _ = try writeSome(8)
    var observer: Observer?
    observer = Observer { [ledger, file] queue in
      guard let made = observer?.seenCount else { return XCTFail("it has gone") }
      switch made {
      case 1:
        expectSuccess {
          try other.write(IOBuffer(copying: [2]), at: 0, ledger.transfer())
          try other.sync(ledger.sync())
        }
      case 2: file?.close(ledger.sync())
      case 3: queue.cancelAll(of: other)
      case 4: other.close(ledger.sync())
      default:
        queue.observer = nil
        observer = nil
      }
    }
    queue.observer = observer
    queue.drain()
    try settle()
    XCTAssertNil(observer)
    ledger.assertEachOnce()
    XCTAssertEqual(ledger.entries.count, 12)
  }

  func test_observerIsToldOfWhatACancellationBringsBack() throws {
    try makeQueue { $0.mergesWrites = false }
    let ids = try writeSome(4)
    let observer = Observer { _ in }
    queue.observer = observer
    queue.drain()
    queue.cancel(try XCTUnwrap(ids.last))
    XCTAssertEqual(observer.seenCount, 0, "from drain only")
    queue.drain()
    XCTAssertEqual(observer.seenCount, 1)
    try settle()
    XCTAssertEqual(observer.seenCount, 4)
  }

  func test_observerMayBeginTheEnd() throws {
    _ = try writeSome(32)
    let observer = Observer { $0.beginEnd() }
    queue.observer = observer
    queue.drain()
    system.endFirst()
    while queue.unfinishedCount > 0 { queue.drain() }
    ledger.assertEachOnce()
    system.endAll()
    queue.retire(waitingAtMost: .zero)
    XCTAssertEqual(Orphanage.operationCount, 0)
  }

  // MARK: What goes with a handler

  /// Does something when the last handler that holds it is released.
  private final class Farewell {
    let body: () -> Void
    init(_ body: @escaping () -> Void) { self.body = body }
    deinit { body() }
  }

  func test_deinitOfWhatAHandlerHolds_mayDoAnything() throws {
    let ids = try writeSome(16)
    let last = try file.sync(ledger.sync())
    for number in 0..<4 {
      let farewell = Farewell { [ledger, queue, file] in
        guard let queue, let file else { return }
        switch number {
        case 0: for id in ids.suffix(4) { queue.cancel(id, abandoning: true) }
        case 1: queue.cancelAll(of: file)
        case 2:
          queue.cancel(last, abandoning: true)
          expectSuccess {
            try file.read(into: IOBuffer(capacity: 1), at: 0, ledger.transfer())
          }
        default: file.close(ledger.sync())
        }
      }
      try file.write(IOBuffer(copying: [9]), at: 1000) { [ledger] result, buffer in
        withExtendedLifetime(farewell) {}
        ledger.transfer()(result, buffer)
      }
    }
    queue.drain()
    try settle()
    ledger.assertEachOnce()
  }

  func test_fileMayBeDroppedByItsLastHandler() throws {
    let before = try openDescriptors().count
    for number in 0..<3 {
      var dropped: AIOFile? = AIOFile(try folder.open("\(number)"), queue: queue)
      try dropped?.write(IOBuffer(copying: [1]), at: 0) { [ledger] result, buffer in
        dropped = nil
        ledger.transfer()(result, buffer)
      }
    }
    try settle()
    XCTAssertEqual(try openDescriptors().count, before)
  }
}
