import Foundation
import PosixAIO
import SystemPackage
import TestSupport
import XCTest

@testable import Reactor

/// Replacing a file: all or nothing, and nothing beside it. Not tested: a sync that fails, since no
/// file system at hand does that on demand.
final class ReplaceTests: XCTestCase {
  private let old = Pattern.block(1, byteCount: 100)
  private let new = Pattern.block(2, byteCount: 200_000)

  private func replace(
    _ path: FilePath, _ loop: EventLoop, permissions: FilePermissions? = nil,
    _ done: @escaping (Result<Void, FileError>) -> Void
  ) {
    File.replace(
      path, with: IOBuffer(copying: new), permissions: permissions, on: loop, done)
  }

  private func names(_ folder: TemporaryDirectory) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: folder.path.string).sorted()
  }

  // MARK: Success

  func test_newFileIsMade_andAnOldOneReplaced_withItsPermissions() throws {
    let (folder, loop) = (try TemporaryDirectory(), try EventLoop())
    let before = try openDescriptors()
    let path = folder.path.appending("file")
    try loop.value { replace(path, loop, $0) }
    XCTAssertTrue(try folder.contents(of: "file") == new)
    XCTAssertEqual(
      try loop.value { File.status(of: path, on: loop, $0) }.permissions.rawValue,
      0o666 & ~mode_t(processUmask()))
    try folder.write(old, to: "file")
    try FileManager.default.setAttributes([.posixPermissions: 0o622], ofItemAtPath: path.string)
    try loop.value { replace(path, loop, $0) }
    XCTAssertTrue(try folder.contents(of: "file") == new)
    XCTAssertEqual(
      try loop.value { File.status(of: path, on: loop, $0) }.permissions.rawValue, 0o622)
    try loop.value { replace(path, loop, permissions: [.otherWrite], $0) }
    XCTAssertEqual(
      try loop.value { File.status(of: path, on: loop, $0) }.permissions, [.otherWrite])
    XCTAssertEqual(try names(folder), ["file"])
    XCTAssertEqual(try openDescriptors(), before)
  }

  func test_emptyContentIsContent() throws {
    let (folder, loop) = (try TemporaryDirectory(), try EventLoop())
    try folder.write(old, to: "file")
    try loop.value {
      File.replace(folder.path.appending("file"), with: IOBuffer(capacity: 0), on: loop, $0)
    }
    XCTAssertEqual(try folder.contents(of: "file"), [])
  }

  func test_symbolicLinkIsReplacedItself() throws {
    let (folder, loop) = (try TemporaryDirectory(), try EventLoop())
    try folder.write(old, to: "goal")
    let link = folder.path.appending("link")
    try loop.value { File.createSymbolicLink(link, to: "goal", on: loop, $0) }
    try loop.value { replace(link, loop, $0) }
    XCTAssertEqual(try folder.contents(of: "goal"), old)
    XCTAssertEqual(
      try loop.value { File.status(of: link, followingLinks: false, on: loop, $0) }.kind, .regular)
  }

  func test_fileBelowADirectoryIsReplaced() throws {
    let (folder, loop) = (try TemporaryDirectory(), try EventLoop())
    let directory = try loop.value { Directory.open(folder.path, on: loop, $0) }
    try loop.value { directory.createDirectory("sub", $0) }
    for path: FilePath in ["file", "sub/file"] {
      try loop.value { directory.replace(path, with: IOBuffer(copying: old), $0) }
      XCTAssertEqual(try folder.contents(of: path.string), old)
    }
  }

  // MARK: Failure

  func test_missingDirectoryIsTold() throws {
    let (folder, loop) = (try TemporaryDirectory(), try EventLoop())
    let path = folder.path.appending("missing/file")
    XCTAssertEqual(
      try loop.error { replace(path, loop, $0) },
      FileError(operation: .open, path: path, errno: .noSuchFileOrDirectory))
  }

  func test_nothingChanges_whenTheDirectoryIsReadOnly() throws {
    let (disk, loop) = (try SmallDisk(pageCount: 64), try EventLoop())
    try disk.write(old, to: "file")
    try disk.makeReadOnly()
    let path = disk.path.appending("file")
    let error = try loop.error { replace(path, loop, $0) }
    XCTAssertEqual(error, FileError(operation: .open, path: path, errno: .readOnlyFileSystem))
    XCTAssertEqual("\(error)", "open \"\(path)\": Read-only file system")
    XCTAssertEqual(try disk.contents(of: "file"), old)
    XCTAssertEqual(try disk.names(), ["file"])
  }

  func test_nothingChanges_whenTheDiskIsFull() throws {
    let (disk, loop) = (try SmallDisk(pageCount: 8), try EventLoop())
    try disk.write(old, to: "file")
    let before = try openDescriptors()
    let path = disk.path.appending("file")
    let error = try loop.error { replace(path, loop, $0) }
    XCTAssertEqual(error, FileError(operation: .write, path: path, errno: .noSpace))
    XCTAssertEqual("\(error)", "write \"\(path)\": No space left on device")
    XCTAssertEqual(try disk.contents(of: "file"), old)
    XCTAssertEqual(try disk.names(), ["file"])
    XCTAssertEqual(try openDescriptors(), before)
    // The space is there again.
    try loop.value {
      File.replace(path, with: IOBuffer(copying: new.prefix(8000)), on: loop, $0)
    }
    XCTAssertTrue(try disk.contents(of: "file") == Array(new.prefix(8000)))
  }

  func test_nothingChanges_whenTheFileMayNotBeSoLarge() throws {
    let (folder, loop) = (try TemporaryDirectory(), try EventLoop())
    try folder.write(old, to: "file")
    let path = folder.path.appending("file")
    let error = try ignoringFileSizeSignal {
      try ResourceLimit.fileSize.lowered(to: 1000) { try loop.error { replace(path, loop, $0) } }
    }
    XCTAssertEqual(error, FileError(operation: .write, path: path, errno: .fileTooLarge))
    XCTAssertEqual(try folder.contents(of: "file"), old)
    XCTAssertEqual(try names(folder), ["file"])
  }

  func test_directoryIsNotReplaced() throws {
    let (folder, loop) = (try TemporaryDirectory(), try EventLoop())
    let path = folder.path.appending("sub")
    try loop.value { Directory.createDirectory(path, on: loop, $0) }
    XCTAssertEqual(
      try loop.error { replace(path, loop, $0) },
      FileError(operation: .rename, path: path, errno: .isDirectory))
    XCTAssertEqual(try names(folder), ["sub"])
    XCTAssertEqual(
      try loop.error { replace("/", loop, $0) },
      FileError(operation: .rename, path: "/", errno: .invalidArgument))
  }

  func test_cancelledReplacementChangesNothing_orEverything() throws {
    let (folder, loop) = (try TemporaryDirectory(), try EventLoop())
    let before = try openDescriptors()
    let path = folder.path.appending("file")
    var outcomes = (done: 0, canceled: 0)
    // In each of the first turns in which it is under way.
    for turn in 0..<40 {
      try folder.write(old, to: "file")
      let result = try loop.outcome { done in
        let work = File.replace(path, with: IOBuffer(copying: new), on: loop, done)
        func countDown(_ rest: Int) {
          guard rest > 0 else { return work.cancel() }
          loop.nextTurn { countDown(rest - 1) }
        }
        countDown(turn)
      }
      switch result {
      case .success:
        outcomes.done += 1
        XCTAssertTrue(try folder.contents(of: "file") == new)
      case .failure(let error):
        outcomes.canceled += 1
        XCTAssertEqual(error.errno, .canceled)
        XCTAssertEqual(try folder.contents(of: "file"), old)
      }
      XCTAssertEqual(try names(folder), ["file"])
    }
    XCTAssertGreaterThan(outcomes.canceled, 0)
    XCTAssertEqual(try openDescriptors(), before)
  }

  // MARK: Temporary files

  func test_temporaryFileGetsItsName_withAndWithoutONameBefore() throws {
    let (folder, loop) = (try TemporaryDirectory(), try EventLoop())
    let directory = try loop.value { Directory.open(folder.path, on: loop, $0) }
    let before = try openDescriptors()
    for isNamed in [false, true] {
      let made = try loop.value {
        directory.temporaryFile(permissions: .ownerReadWrite, isNamed: isNamed, $0)
      }
      XCTAssertEqual(try names(folder).count, isNamed ? 1 : 0)
      try loop.value { done in
        made.file.write(IOBuffer(copying: old), at: 0) { result, _ in done(result) }
      }
      XCTAssertFalse(try loop.value { made.publish(as: "file", replacing: false, $0) })
      XCTAssertEqual(try names(folder), ["file"])
      try loop.close(made.file)
      let second = try loop.value {
        directory.temporaryFile(permissions: .ownerReadWrite, isNamed: isNamed, $0)
      }
      XCTAssertEqual(
        try loop.error { second.publish(as: "file", replacing: false, $0) }.errno, .fileExists)
      XCTAssertEqual(try folder.contents(of: "file"), old)
      XCTAssertTrue(try loop.value { second.publish(as: "file", $0) })
      XCTAssertEqual(try folder.contents(of: "file"), [])
      try loop.close(second.file)
      try loop.value { directory.remove("file", $0) }
    }
    XCTAssertEqual(try openDescriptors(), before)
  }

  func test_discardedAndDroppedTemporaryFilesLeaveNothing() throws {
    let (folder, loop) = (try TemporaryDirectory(), try EventLoop())
    let directory = try loop.value { Directory.open(folder.path, on: loop, $0) }
    let before = try openDescriptors()
    for isNamed in [false, true] {
      var made: TemporaryFile? = try loop.value {
        directory.temporaryFile(permissions: .ownerReadWrite, isNamed: isNamed, $0)
      }
      try loop.value { made?.discard($0) }
      XCTAssertEqual(try names(folder), [])
      made = try loop.value {
        directory.temporaryFile(permissions: .ownerReadWrite, isNamed: isNamed, $0)
      }
      made = nil
      try loop.value { directory.status(of: ".", $0) }
      loop.wait { (try? self.names(folder)) == [] }
    }
    XCTAssertEqual(try openDescriptors(), before)
  }
}
