import Glibc
import PosixAIO
import Reactor
import SystemPackage
import TestSupport
import XCTest

/// The matrix: every public asynchronous call, in both styles, in every ending of its loop. Each is
/// completed exactly once, what was reported done is done, and everything is given back.
///
/// A failure names its cell, which `AIO_MATRIX_ONLY` runs alone; docs/testing.md says how.
final class EndingsTests: XCTestCase {
  private func run(_ endings: Ending..., file: StaticString = #filePath, line: UInt = #line) {
    run(endings, file: file, line: line)
  }

  private func run(_ endings: [Ending], file: StaticString = #filePath, line: UInt = #line) {
    let cells = endings.flatMap { ending in
      CallTable.all().filter(ending.isFor).map { Cell(call: $0, ending: ending) }
    }
    let chosen = cells.filter { MatrixSettings.includes($0.name) }
    if MatrixSettings.onlyLists {
      for cell in chosen { MatrixSettings.say("cell: \(cell.name)\n") }
      return
    }
    let signalCount = freeSignalCount()
    for cell in chosen {
      if MatrixSettings.isVerbose { MatrixSettings.say("cell: \(cell.name)\n") }
      for complaint in cell.run() {
        XCTFail("\(cell.name): \(complaint)", file: file, line: line)
      }
    }
    XCTAssertEqual(
      freeSignalCount(), signalCount, "signals are in use still", file: file, line: line)
  }

  /// How many queues can be made, each of which takes a signal.
  private func freeSignalCount() -> Int {
    var queues: [CompletionQueue] = []
    while let queue = try? CompletionQueue() { queues.append(queue) }
    return queues.count
  }

  func test_callsHaveDifferentNames() {
    let names = CallTable.all().map { "\($0.name)/\($0.style)" }
    XCTAssertEqual(Set(names).count, names.count)
  }

  // MARK: The end of the call

  func test_callsGiveTheirResult_whenTheLoopRunsToTheEnd() { run(.runToTheEnd) }

  // MARK: close

  func test_callsCompleteOnce_whenTheLoopIsClosedInTheSameTurn() { run(.close(after: 0)) }

  func test_callsCompleteOnce_whenTheLoopIsClosedAfterSomeTurns() {
    run(.close(after: 1), .close(after: 2), .close(after: 3))
  }

  func test_callsCompleteOnce_whenTheLoopIsStoppedAndClosed() { run(.stopThenClose) }

  func test_callsAreRefused_afterTheEnd() { run(.callAfterClose) }

  // MARK: shutDown

  func test_callsCompleteOnce_whenTheLoopIsShutDownWithoutTime() {
    run(.shutDownAtOnce(after: 0), .shutDownAtOnce(after: 1))
  }

  func test_callsGiveTheirResult_whenTheLoopIsShutDownWithTime() { run(.shutDownInTime) }

  func test_callsAreCancelled_whenTheTimeToShutDownIsTooShort() { run(.shutDownTooShort) }

  // MARK: The last reference

  func test_callsCompleteOnce_whenTheLoopIsDroppedAtOnce() {
    run(.drop(after: 0, objectsFirst: false), .drop(after: 0, objectsFirst: true))
  }

  func test_callsCompleteOnce_whenTheLoopIsDroppedAfterSomeTurns() {
    run(
      .drop(after: 1, objectsFirst: true), .drop(after: 2, objectsFirst: false),
      .drop(after: 3, objectsFirst: true))
  }

  func test_callsCompleteOnce_whenTheLoopIsStoppedAndDropped() { run(.stopThenDrop) }

  // MARK: A borrowed base

  func test_callsGiveTheirResult_whenABorrowedBaseIsDispatched() { run(.borrowedDispatch) }

  func test_callsCompleteOnce_whenALoopOfABorrowedBaseIsClosed() {
    run(.borrowedClose(after: 0), .borrowedClose(after: 2))
  }

  func test_callsCompleteOnce_whenALoopOfABorrowedBaseIsDropped() {
    run(.borrowedDrop(after: 0), .borrowedDrop(after: 1), .borrowedDrop(after: 2))
  }

  func test_callsCompleteOnce_whenALoopIsDroppedInACallbackOfItsOwn() {
    run(Ending.dropsInside)
  }

  func test_callsGiveTheirResult_whenALoopIsDroppedInTheirHandler() {
    run(.borrowedDropInItsHandler)
  }

  // MARK: Limits

  func test_callsAreRefusedOnce_whenTheQueueIsFull() { run(.queueIsFull) }

  func test_callsAreRefusedOnce_whenTheBuffersHoldAsMuchAsTheyMay() { run(.bytesAreHeld) }

  func test_callsAreRefusedOnce_whenTheHelpersHaveAsMuchAsTheyMay() { run(.helpersAreBusy) }
}
