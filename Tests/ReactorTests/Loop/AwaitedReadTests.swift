import Glibc
import PosixAIO
import Reactor
import SystemPackage
import TestSupport
import XCTest

/// `try await file.read(…)`.
final class AwaitedReadTests: XCTestCase {
  func test_readGivesTheBufferBackFilled_cachedOrNot() throws {
    let folder = try TemporaryDirectory()
    try folder.write([1, 2, 3, 4], to: "file")
    for readsCacheFirst in [true, false] {
      var configuration = EventLoop.Configuration()
      configuration.queue.readsCacheFirst = readsCacheFirst
      let bytes = try EventLoop(configuration: configuration).run { loop in
        let file = try await self.open(folder.path.appending("file"), on: loop)
        return [UInt8](try await file.read(into: IOBuffer(capacity: 8), at: 1))
      }
      XCTAssertEqual(bytes, [2, 3, 4])
    }
  }

  func test_errorsComeFromTheOperationAndFromTheRefusal() throws {
    let folder = try TemporaryDirectory()
    try folder.write([1], to: "file")
    let loop = try EventLoop()
    let errors: [Errno] = try loop.run { loop in
      let file = try await self.open(folder.path.appending("file"), on: loop)
      var errors: [Errno] = []
      do throws(FileError) {
        _ = try await file.read(into: IOBuffer(capacity: 1), at: -1)
      } catch {
        errors.append(error.errno)
      }
      file.close { _ in }
      do throws(FileError) {
        _ = try await file.read(into: IOBuffer(capacity: 1), at: 0)
      } catch {
        errors.append(error.errno)
      }
      return errors
    }
    XCTAssertEqual(errors, [.invalidArgument, .badFileDescriptor])
  }

  func test_cancelledTaskStartsNothing_andAWaitingOneEndsAtOnce() throws {
    let folder = try TemporaryDirectory()
    let path = folder.path.appending("pipe")
    // Never written to: the read would wait for ever.
    let status = unsafe path.withPlatformString { unsafe mkfifo($0, 0o600) }
    XCTAssertEqual(status, 0)
    let loop = try EventLoop()
    let writer = try FileDescriptor.open(path, .readWrite)
    let errors: [Errno] = try loop.run { loop in
      let pipe = try await self.open(path, on: loop)
      var errors: [Errno] = []
      let isReading = loop.startTask {
        do throws(FileError) {
          _ = try await pipe.read(into: IOBuffer(capacity: 1), at: 0)
        } catch {
          errors.append(error.errno)
        }
      }
      while loop.queue.statistics.inFlightCount == 0 { await Task.yield() }
      isReading.cancel()
      await isReading.value
      let isCancelled = loop.startTask {
        while !Task.isCancelled { await Task.yield() }
        do throws(FileError) {
          _ = try await pipe.read(into: IOBuffer(capacity: 1), at: 0)
        } catch {
          errors.append(error.errno)
        }
      }
      isCancelled.cancel()
      await isCancelled.value
      return errors
    }
    XCTAssertEqual(errors, [.canceled, .canceled])
    // Lets the helper thread go that reads still.
    _ = try writer.writeAll([1])
    try writer.close()
  }

  func test_manyTasksReadAtATime_eachItsOwn() throws {
    let folder = try TemporaryDirectory()
    let (count, byteCount) = (1000, 512)
    try folder.write(
      (0..<count).flatMap { Pattern.block($0, byteCount: byteCount) }, to: "file")
    let loop = try EventLoop()
    let wrongOnes: [Int] = try loop.run { loop in
      let file = try await self.open(folder.path.appending("file"), on: loop)
      var wrongOnes: [Int] = []
      let tasks = (0..<count).map { number in
        loop.startTask {
          do {
            let buffer = try await file.read(
              into: IOBuffer(capacity: byteCount), at: Int64(number * byteCount))
            if [UInt8](buffer) != Pattern.block(number, byteCount: byteCount) {
              wrongOnes.append(number)
            }
          } catch {
            wrongOnes.append(number)
          }
        }
      }
      for task in tasks { await task.value }
      return wrongOnes
    }
    XCTAssertEqual(wrongOnes, [])
  }

  nonisolated(nonsending) private func open(
    _ path: FilePath, on loop: EventLoop
  ) async throws -> File {
    var opened: Result<File, FileError>?
    File.open(path, .readOnly, on: loop) { opened = $0 }
    while opened == nil { await Task.yield() }
    return try XCTUnwrap(opened).get()
  }
}
