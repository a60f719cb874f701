import PosixAIO
import Synchronization
import TestSupport
import Testing
import XCTest

final class MoveBoxTests: XCTestCase {
  /// Counts the ends of its values.
  private final class Count: Sendable {
    let ended = Mutex(0)
  }

  private struct Counted: ~Copyable {
    let count: Count
    deinit { count.ended.withLock { $0 += 1 } }
  }

  func test_bufferMovesOutOfAnEscapingClosure() {
    let box = MoveBox(IOBuffer(copying: [1, 2]))
    var received: [UInt8] = []
    let closures: [() -> Void] = [{ received = Array(box.take()) }]
    XCTAssertFalse(box.isEmpty)
    closures[0]()
    XCTAssertEqual(received, [1, 2])
    XCTAssertTrue(box.isEmpty)
  }

  func test_buffersAreStoredInAnArray() {
    var buffers = (0..<3).map { MoveBox(IOBuffer(copying: [UInt8($0)])) }
    var last = buffers.removeLast().take()
    last.withMutableBytes { $0.storeBytes(of: 9, toByteOffset: 0, as: UInt8.self) }
    buffers.append(MoveBox(last))
    XCTAssertEqual(buffers.map { Array($0.take()) }, [[0], [1], [9]])
  }

  func test_valueEndsOnce_takenOrNot() {
    let count = Count()
    do {
      let box = MoveBox(Counted(count: count))
      XCTAssertEqual(count.ended.withLock { $0 }, 0)
      _ = box.take()
      XCTAssertEqual(count.ended.withLock { $0 }, 1)
      _ = MoveBox(Counted(count: count))
    }
    XCTAssertEqual(count.ended.withLock { $0 }, 2)
  }

  func test_boxCrossesThreads() async {
    let bytes = await Task.detached { MoveBox(IOBuffer(copying: [5])) }.value.take()
    XCTAssertEqual(Array(bytes), [5])
  }
}

@Suite
struct MoveBoxMisuseTests {
  @Test func takingTraps_theSecondTime() async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      let box = MoveBox(IOBuffer(capacity: 1))
      _ = box.take()
      _ = box.take()
    }
    #expect(result.says("MoveBox: the value was taken before"))
  }
}
