import PosixAIO
import Reactor
import Synchronization
import SystemPackage
import TestSupport
import XCTest

/// Tasks that are left when the body of `EventLoop.run { }` has returned.
final class RunEndTests: XCTestCase {
  func test_tasksFinishTheirFiles_whenRunReturnsBeforeThem() throws {
    let folder = try TemporaryDirectory()
    let path = folder.path.appending("file")
    try EventLoop.run { loop in
      loop.startTask { () async throws in
        try await File.withFile(path, .writeOnly, options: .create, on: loop) { file in
          for number in 0..<10 {
            try await file.write(IOBuffer(copying: [UInt8(number)]), at: Int64(number))
            try await file.sync()
          }
        }
      }
    }
    XCTAssertEqual(try folder.contents(of: "file"), Array(0..<10))
  }

  func test_tasksAreCancelled_whenTheyWaitForSomethingElse() throws {
    let places = Mutex<[String]>([])
    try EventLoop.run { loop in
      loop.startTask {
        try? await Task.sleep(for: testDeadline)
        places.withLock { $0.append(Task.isCancelled ? "cancelled" : "late") }
      }
      // Never begun before the end.
      loop.startTask { places.withLock { $0.append("begun") } }
    }
    XCTAssertEqual(places.withLock { $0 }.sorted(), ["begun", "cancelled"])
  }

  func test_tasksGoOn_whenTheLoopIsRunAgain() throws {
    let loop = try EventLoop()
    var isOver = false
    loop.run { loop in
      loop.startTask {
        await withCheckedContinuation { waiter in
          loop.schedule(after: .milliseconds(1)) { waiter.resume() }
        }
        isOver = true
      }
    }
    XCTAssertFalse(isOver)
    XCTAssertTrue(loop.run(until: { isOver }, timeout: testDeadline))
  }
}
