import PosixAIO
import SystemPackage
import TestSupport
import XCTest

@testable import Reactor

/// What becomes of asynchronous work on files whose task is cancelled.
final class AsyncFileCancelTests: AsyncFileTestCase {
  func test_cancelledTaskStartsNothing() throws {
    try run { loop, folder in
      let path = folder.path.appending("file")
      let file = try await File.open(path, .readWrite, options: .create, on: loop)
      let task = loop.startTask {
        unsafe withUnsafeCurrentTask { unsafe $0?.cancel() }
        var errors: [Errno?] = []
        errors.append(
          await self.error { () async throws(FileError) in try await file.status() }?.errno)
        errors.append(
          await self.error { () async throws(FileError) in
            try await File.remove(path, on: loop)
          }?.errno)
        errors.append(
          await self.error { () async throws(FileError) in
            _ = try await file.write(IOBuffer(copying: [1]), at: 0)
          }?.errno)
        errors.append(
          await self.error { () async throws(FileError) in
            for try await _ in file.chunks() {}
          }?.errno)
        errors.append(
          await self.error { () async throws(FileError) in
            for try await _ in file.lines() {}
          }?.errno)
        errors.append(
          await self.error { () async throws(FileError) in
            _ = try await File.contents(of: path, on: loop)
          }?.errno)
        errors.append(
          await self.error { () async throws(FileError) in
            try await File.replace(path, with: IOBuffer(copying: [1]), on: loop)
          }?.errno)
        return errors
      }
      let errors = await task.value
      XCTAssertEqual(errors, Array(repeating: .canceled, count: 7))
      XCTAssertEqual(try folder.contents(of: "file"), [])
      try await file.close()
    }
  }

  func test_taskThatWaitsForALockGivesUp() throws {
    try run { loop, folder in
      let path = folder.path.appending("file")
      let first = try await File.open(path, .readWrite, options: .create, on: loop)
      let second = try await File.open(path, .readWrite, on: loop)
      try await first.lock(.exclusive)
      let task = loop.startTask {
        await self.error { () async throws(FileError) in try await second.lock(.exclusive) }?.errno
      }
      task.cancel()
      let errno = await task.value
      XCTAssertEqual(errno, .canceled)
      try await first.close()
      try await second.close()
    }
  }

  func test_taskThatWaitsForRoomGivesUp_andNothingOfItIsAccepted() throws {
    let loop = try EventLoop()
    let ends = try FileDescriptor.pipe()
    let file = File(
      try OpenedFile(ends.writeEnd, path: "pipe"), on: loop.core)
    var configuration = FileWriter.Configuration()
    configuration.bufferByteCount = 200_000
    let writer = FileWriter(file, configuration: configuration)
    try loop.run { loop in
      // Nothing is read, so this much stays in the buffer.
      try await writer.write([UInt8](repeating: 1, count: 200_000))
      let task = loop.startTask {
        await self.error { () async throws(FileError) in try await writer.write([2]) }?.errno
      }
      while writer.roomWaiters.isEmpty { await Task.yield() }
      task.cancel()
      let errno = await task.value
      XCTAssertEqual(errno, .canceled)
      XCTAssertEqual(writer.byteCountAccepted, 200_000)
      let readEnd = ends.readEnd
      loop.offload {
        var piece = [UInt8](repeating: 0, count: 65_536)
        var byteCount = 0
        while byteCount < 200_000,
          let count = try? unsafe piece.withUnsafeMutableBytes({
            try unsafe readEnd.read(into: $0)
          })
        {
          byteCount += count
        }
        return byteCount
      } _: {
        XCTAssertEqual($0, .success(200_000))
      }
      try await writer.close()
    }
    try ends.readEnd.close()
  }
}
