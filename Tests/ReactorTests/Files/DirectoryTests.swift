import Foundation
import Glibc
import PosixAIO
import Reactor
import SystemPackage
import TestSupport
import XCTest

final class DirectoryTests: XCTestCase {
  func test_pathsNeverLeadOutOfTheFolder() throws {
    let outside = try TemporaryDirectory()
    try outside.write("secret".utf8, to: "secret")
    let inside = try TemporaryDirectory()
    let manager = FileManager.default
    let link = inside.path.appending("link").string
    try manager.createSymbolicLink(atPath: link, withDestinationPath: outside.path.string)
    let relative = inside.path.appending("relative").string
    try manager.createSymbolicLink(atPath: relative, withDestinationPath: "../")
    let outsideName = try XCTUnwrap(outside.path.lastComponent).string
    for path in [
      "../\(outsideName)/secret", "\(outside.path)/secret", "link/secret",
      "relative/\(outsideName)/secret", "a/../../\(outsideName)/secret",
    ] {
      for options in [[], .nonBlocking] as [FileDescriptor.OpenOptions] {
        XCTAssertThrowsError(try open(FilePath(path), options, in: inside), path) { error in
          let errno = (error as? FileError)?.errno
          XCTAssertTrue([.improperLink, .noSuchFileOrDirectory].contains(errno), "\(error)")
        }
      }
    }
  }

  func test_linksThatStayInsideAreFollowed() throws {
    let folder = try TemporaryDirectory()
    try folder.write("text".utf8, to: "file")
    try FileManager.default.createSymbolicLink(
      atPath: folder.path.appending("link").string, withDestinationPath: "file")
    XCTAssertEqual(try open("link", in: folder).byteCount, 4)
  }

  /// On the loop alone where the file system allows it; what is seen is the same everywhere.
  func test_aFileOpenedWithoutWaitingIsTheSame_andItsHandlerComesLater() throws {
    let folder = try TemporaryDirectory()
    try folder.write("text".utf8, to: "file")
    let descriptors = try openDescriptors()
    var hasReturned = false
    let text = try with(folder) { directory, done in
      directory.openFile("file", .readOnly, options: .nonBlocking) { result in
        XCTAssertTrue(hasReturned)
        guard case .success(let file) = result else { return done(result.map { _ in "" }) }
        XCTAssertEqual(file.openingStatus.byteCount, 4)
        file.read(into: IOBuffer(capacity: 10), at: 0) { _, buffer in
          // Its last name goes before its last descriptor.
          XCTAssertEqual(unsafe unlink(folder.path.appending("file").string), 0)
          let text = String(decoding: buffer)
          file.close { closed in done(closed.map { text }) }
        }
      }
      hasReturned = true
    }
    XCTAssertEqual(text, "text")
    XCTAssertEqual(try openDescriptors(), descriptors)
  }

  func test_listNamesEverythingButItselfAndItsParent() throws {
    let folder = try TemporaryDirectory()
    try folder.write([1, 2, 3], to: "file")
    try folder.write([], to: ".hidden")
    let manager = FileManager.default
    try manager.createDirectory(
      atPath: folder.path.appending("sub").string, withIntermediateDirectories: false)
    try manager.createSymbolicLink(
      atPath: folder.path.appending("broken").string, withDestinationPath: "nowhere")
    let entries = try with(folder) { folder, done in folder.list(done) }
    let kinds = Dictionary(uniqueKeysWithValues: entries.map { ($0.name.string, $0.status.kind) })
    XCTAssertEqual(
      kinds, ["file": .regular, ".hidden": .regular, "sub": .directory, "broken": .symbolicLink])
    XCTAssertEqual(entries.first { $0.name == "file" }?.status.byteCount, 3)
  }

  func test_renameSaysWhetherItReplacedSomething_andRemoveRemoves() throws {
    let folder = try TemporaryDirectory()
    try folder.write([1], to: "a")
    XCTAssertFalse(try with(folder) { $0.rename("a", to: "b", $1) })
    try folder.write([2], to: "a")
    XCTAssertTrue(try with(folder) { $0.rename("a", to: "b", $1) })
    XCTAssertEqual(try folder.contents(of: "b"), [2])
    try with(folder) { $0.remove("b", $1) }
    XCTAssertEqual(try FileManager.default.contentsOfDirectory(atPath: folder.path.string), [])
  }

  func test_directoryCanBeSynced() throws {
    let folder = try TemporaryDirectory()
    try with(folder) { $0.sync($1) }
  }

  func test_openingAFileAsAFolderFails() throws {
    let folder = try TemporaryDirectory()
    try folder.write([], to: "file")
    XCTAssertThrowsError(try with(folder) { $0.openDirectory("file", $1) }) {
      XCTAssertEqual(($0 as? FileError)?.errno, .notDirectory)
    }
  }

  private func open(
    _ path: FilePath, _ options: FileDescriptor.OpenOptions = [], in folder: TemporaryDirectory
  ) throws -> FileStatus {
    try with(folder) { $0.openFile(path, .readOnly, options: options, $1) }.openingStatus
  }

  /// Opens a directory in a loop of its own, and runs one call of it to its end.
  @discardableResult
  private func with<Value>(
    _ folder: TemporaryDirectory,
    _ call: @escaping (Directory, @escaping (Result<Value, FileError>) -> Void) -> Void
  ) throws -> Value {
    let loop = try EventLoop()
    var outcome: Result<Value, FileError>?
    Directory.open(folder.path, on: loop) { result in
      switch result {
      case .success(let folder):
        call(folder) { result in
          outcome = result
          loop.stop()
        }
      case .failure(let error):
        outcome = .failure(error)
        loop.stop()
      }
    }
    loop.runUntilStopped()
    return try XCTUnwrap(outcome).get()
  }
}
