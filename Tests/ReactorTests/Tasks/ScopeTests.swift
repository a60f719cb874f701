import PosixAIO
import Reactor
import Synchronization
import SystemPackage
import TestSupport
import XCTest

/// Files, connections and listeners that are open for the time of a call, and work on helper
/// threads.
final class ScopeTests: AsyncFileTestCase {
  private struct Failure: Error {}

  func test_fileIsClosed_whenTheBodyReturns() throws {
    try run { loop, folder in
      var kept: File?
      let path = folder.path.appending("file")
      let count = try await File.withFile(path, .writeOnly, options: .create, on: loop) { file in
        kept = file
        return try await file.write(IOBuffer(copying: [1, 2, 3]), at: 0).count
      }
      XCTAssertEqual(count, 3)
      let error = await self.error { () async throws(FileError) in
        try await kept?.write(IOBuffer(copying: [4]), at: 0)
      }
      XCTAssertEqual(error?.errno, .badFileDescriptor)
    }
  }

  func test_fileIsClosed_andTheBodysErrorComesOut() throws {
    try run { loop, folder in
      var kept: File?
      do {
        try await File.withFile(
          folder.path.appending("file"), .writeOnly, options: .create, on: loop
        ) { file in
          kept = file
          throw Failure()
        }
        XCTFail("no error")
      } catch {
        XCTAssertTrue(error is Failure, "\(error)")
      }
      let error = await self.error { () async throws(FileError) in try await kept?.sync() }
      XCTAssertEqual(error?.errno, .badFileDescriptor)
    }
  }

  func test_temporaryFileIsGone_unlessItWasPublished() throws {
    try run { loop, folder in
      let directory = try await Directory.open(folder.path, on: loop)
      let length = try await directory.withTemporaryFile { temporary in
        try await temporary.file.write(IOBuffer(copying: [1, 2]), at: 0)
        try await temporary.publish(as: "published")
        return 2
      }
      XCTAssertEqual(length, 2)
      try await directory.withTemporaryFile { temporary in
        try await temporary.file.write(IOBuffer(copying: [3]), at: 0)
      }
      do {
        try await directory.withTemporaryFile { _ in throw Failure() }
        XCTFail("no error")
      } catch {
        XCTAssertTrue(error is Failure, "\(error)")
      }
      let names = try await directory.list().map(\.name.string)
      XCTAssertEqual(names, ["published"])
      XCTAssertEqual(try folder.contents(of: "published"), [1, 2])
    }
  }

  func test_fileIsClosed_inACancelledTask() throws {
    try run { loop, folder in
      let path = folder.path.appending("file")
      let task = loop.startTask { () async throws in
        try await File.withFile(path, .writeOnly, options: .create, on: loop) { _ in
          unsafe withUnsafeCurrentTask { unsafe $0?.cancel() }
        }
      }
      // The test case counts descriptors.
      try await task.value
    }
  }

  func test_bodyIsNotCalled_whenTheFileIsNotThere() throws {
    try run { loop, folder in
      do {
        try await Directory.withDirectory(folder.path, on: loop) { directory in
          try await directory.withFile("none", .readOnly) { _ in XCTFail("called") }
        }
        XCTFail("no error")
      } catch {
        XCTAssertEqual((error as? FileError)?.errno, .noSuchFileOrDirectory, "\(error)")
      }
    }
  }

  func test_connectionIsAborted_whenTheBodyThrows() throws {
    try run { loop, _ in
      var kept: Connection?
      try await Listener.withListener(on: loop, .loopback(port: 0)) { listener in
        do {
          try await Connection.withConnection(to: listener.address, on: loop) { connection in
            kept = connection
            throw Failure()
          }
        } catch {
          XCTAssertTrue(error is Failure, "\(error)")
        }
      }
      XCTAssertEqual(kept?.closeReason, .local)
    }
  }

  func test_listenerIsClosed_whenTheBodyThrows() throws {
    try run { loop, _ in
      var kept: Listener?
      do {
        try await Listener.withListener(on: loop, .loopback(port: 0)) { listener in
          kept = listener
          throw Failure()
        }
      } catch {
        XCTAssertTrue(error is Failure, "\(error)")
      }
      XCTAssertEqual(kept?.isOpen, false)
    }
  }

  func test_offloadedWorkGivesItsResultOrItsError() throws {
    try run { loop, _ in
      let sum = try await loop.offload { (1...10).reduce(0, +) }
      XCTAssertEqual(sum, 55)
      do {
        try await loop.offload { throw Failure() }
        XCTFail("no error")
      } catch {
        XCTAssertTrue(error is Failure, "\(error)")
      }
    }
  }

  func test_offloadedWorkIsNotStarted_inACancelledTask() throws {
    try run { loop, _ in
      let isStarted = Mutex(false)
      let task = loop.startTask { () async throws in
        unsafe withUnsafeCurrentTask { unsafe $0?.cancel() }
        try await loop.offload { isStarted.withLock { $0 = true } }
      }
      do {
        try await task.value
        XCTFail("no error")
      } catch {
        XCTAssertEqual(error as? Errno, .canceled)
      }
      XCTAssertFalse(isStarted.withLock { $0 })
    }
  }
}
