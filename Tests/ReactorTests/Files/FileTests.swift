import Foundation
import Glibc
import PosixAIO
import Reactor
import SystemPackage
import TestSupport
import XCTest

final class FileTests: XCTestCase {
  func test_writtenAndSyncedBytesAreReadBack() throws {
    let (folder, loop) = (try TemporaryDirectory(), try EventLoop())
    var text = ""
    File.open(folder.path.appending("file"), .readWrite, options: .create, on: loop) { result in
      self.succeed(loop) {
        let file = try result.get()
        file.write(IOBuffer(copying: Array("hello world".utf8)), at: 0) { result, _ in
          XCTAssertEqual(try? result.get(), 11)
        }
        file.sync { _ in
          self.succeed(loop) {
            file.read(into: IOBuffer(capacity: 64), at: 6) { _, buffer in
              text = String(decoding: buffer)
              file.close { _ in loop.stop() }
            }
          }
        }
      }
    }
    loop.runUntilStopped()
    XCTAssertEqual(text, "world")
    XCTAssertEqual(try folder.contents(of: "file"), Array("hello world".utf8))
  }

  func test_fileCompletionsAndTimersShareTheLoop() throws {
    let (folder, loop) = (try TemporaryDirectory(), try EventLoop())
    try folder.write([1], to: "file")
    var reads = 0
    var ticks = 0
    let ticker = loop.schedule(every: .milliseconds(1)) { ticks += 1 }
    File.open(folder.path.appending("file"), .readOnly, on: loop) { result in
      func readAgain(_ file: File, _ buffer: consuming IOBuffer) {
        file.read(into: buffer, at: 0) { _, buffer in
          reads += 1
          // A stream of completions that never ends by itself: the timer must get its turns.
          if ticks < 5 { readAgain(file, buffer) } else { loop.stop() }
        }
      }
      guard case .success(let file) = result else { return XCTFail("\(result)") }
      readAgain(file, IOBuffer(capacity: 1))
    }
    loop.runUntilStopped()
    ticker.cancel()
    XCTAssertGreaterThan(reads, 0)
    XCTAssertGreaterThanOrEqual(ticks, 5)
  }

  func test_onlyARegularFileIsOpened_onRequest_andNothingWaits() throws {
    let (folder, loop) = (try TemporaryDirectory(), try EventLoop())
    try folder.write([1], to: "file")
    let fifo = folder.path.appending("fifo")
    XCTAssertEqual(unsafe mkfifo(fifo.string, 0o600), 0)
    let directory = try loop.value { Directory.open(folder.path, on: loop, $0) }
    let refused: [(FilePath, FileDescriptor.AccessMode, Errno)] = [
      (fifo, .readOnly, .invalidArgument), (fifo, .readWrite, .invalidArgument),
      (fifo, .writeOnly, .noSuchAddressOrDevice), (folder.path, .readOnly, .isDirectory),
      ("/dev/null", .readOnly, .invalidArgument),
    ]
    for (path, mode, errno) in refused {
      let error = try loop.error {
        File.open(path, mode, regularOnly: true, on: loop, $0)
      }
      XCTAssertEqual(error, FileError(operation: .open, path: path, errno: errno))
    }
    let before = try openDescriptors()
    for (name, errno) in [("fifo", Errno.invalidArgument), (".", .isDirectory)] {
      let error = try loop.error {
        directory.openFile(FilePath(name), .readOnly, regularOnly: true, $0)
      }
      XCTAssertEqual(error.errno, errno, name)
    }
    XCTAssertEqual(try openDescriptors(), before)
    for mode in [FileDescriptor.AccessMode.readOnly, .readWrite] {
      let file = try loop.value { directory.openFile("file", mode, regularOnly: true, $0) }
      let bytes = try loop.bytes { file.contents($0) }
      XCTAssertEqual(try bytes.get(), [1])
      try loop.close(file)
    }
  }

  func test_whatIsMadeGetsThePermissionsOfTheSystemsTools() throws {
    let (folder, loop) = (try TemporaryDirectory(), try EventLoop())
    let path = folder.path.appending("made")
    try loop.value { Directory.createDirectory(path, on: loop, $0) }
    let directory = try loop.value { Directory.open(path, on: loop, $0) }
    let opened = try loop.open(path.appending("opened"))
    let below = try loop.value {
      directory.openFile("below", .writeOnly, options: .create, $0)
    }
    let temporary = try loop.value { directory.temporaryFile($0) }
    let writer = FileWriter(opened)
    try loop.value { writer.reopen(path.appending("reopened"), $0) }
    for file in [below, temporary.file, writer.file] {
      XCTAssertEqual(
        file.openingStatus.permissions.rawValue, 0o666 & ~mode_t(processUmask()), "\(file.path)")
    }
    XCTAssertEqual(
      try loop.value { directory.status(of: ".", $0) }.permissions.rawValue,
      0o777 & ~mode_t(processUmask()))
    try loop.close(writer.file)
  }

  func test_openGivesTheMetadata() throws {
    let (folder, loop) = (try TemporaryDirectory(), try EventLoop())
    try folder.write([UInt8](repeating: 7, count: 1234), to: "file")
    File.open(folder.path.appending("file"), .readOnly, on: loop) { result in
      self.succeed(loop) {
        let file = try result.get()
        XCTAssertEqual(file.openingStatus.byteCount, 1234)
        XCTAssertEqual(file.openingStatus.kind, .regular)
        loop.stop()
      }
    }
    loop.runUntilStopped()
  }

  func test_openFailureNamesThePathAndTheReason() throws {
    let (folder, loop) = (try TemporaryDirectory(), try EventLoop())
    let path = folder.path.appending("missing")
    var message = ""
    File.open(path, .readOnly, on: loop) { result in
      if case .failure(let error) = result { message = "\(error)" }
      loop.stop()
    }
    loop.runUntilStopped()
    XCTAssertEqual(message, "open \"\(path)\": No such file or directory")
  }

  func test_handlersNeverRunInsideTheCall() throws {
    let (folder, loop) = (try TemporaryDirectory(), try EventLoop())
    var isInsideCall = true
    File.open(folder.path.appending("file"), .readWrite, options: .create, on: loop) { result in
      XCTAssertFalse(isInsideCall)
      self.succeed(loop) {
        isInsideCall = true
        let file = try result.get()
        file.close { _ in
          XCTAssertFalse(isInsideCall)
          loop.stop()
        }
        isInsideCall = false
      }
    }
    isInsideCall = false
    loop.runUntilStopped()
  }

  /// Ends the test with the error that `body` throws.
  private func succeed(_ loop: EventLoop, _ body: () throws -> Void) {
    do {
      try body()
    } catch {
      XCTFail("\(error)")
      loop.stop()
    }
  }
}
