import Foundation
import PosixAIO
import Reactor
import SystemPackage
import TestSupport
import XCTest

/// Names: below a directory, and anywhere.
final class NameTests: XCTestCase {
  private func make() throws -> (EventLoop, TemporaryDirectory, Directory) {
    let (loop, folder) = (try EventLoop(), try TemporaryDirectory())
    return (loop, folder, try loop.value { Directory.open(folder.path, on: loop, $0) })
  }

  private func names(_ folder: TemporaryDirectory, _ path: String = "") throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: folder.path.string + "/" + path).sorted()
  }

  // MARK: Below a directory

  func test_namesBelowADirectoryAreMadeMovedAndRemoved() throws {
    let (loop, folder, directory) = try make()
    try loop.value { directory.createDirectory("a", $0) }
    try loop.value { directory.createDirectory("a/b", $0) }
    try folder.write([1], to: "a/b/file")
    XCTAssertFalse(try loop.value { directory.rename("a/b/file", to: "a/moved", $0) })
    try loop.value { directory.link("a/moved", to: "a/b/second", $0) }
    try loop.value { directory.createSymbolicLink("a/link", to: "moved", $0) }
    XCTAssertEqual(try loop.value { directory.readSymbolicLink("a/link", $0) }, "moved")
    XCTAssertEqual(try names(folder, "a"), ["b", "link", "moved"])
    XCTAssertEqual(try names(folder, "a/b"), ["second"])
    try loop.value { directory.remove("a/b/second", $0) }
    try loop.value { directory.removeDirectory("a/b", $0) }
    try loop.value { directory.remove("a/link", $0) }
    XCTAssertEqual(try names(folder, "a"), ["moved"])
  }

  func test_statusFollowsLinksInside_orDescribesTheLink() throws {
    let (loop, folder, directory) = try make()
    try folder.write([1, 2], to: "file")
    try loop.value { directory.createSymbolicLink("link", to: "file", $0) }
    XCTAssertEqual(try loop.value { directory.status(of: "link", $0) }.byteCount, 2)
    XCTAssertEqual(
      try loop.value { directory.status(of: "link", followingLinks: false, $0) }.kind,
      .symbolicLink)
    XCTAssertEqual(try loop.value { directory.status(of: ".", $0) }.kind, .directory)
  }

  func test_noCallLeadsOutOfTheDirectory() throws {
    let (loop, folder, directory) = try make()
    let outside = try TemporaryDirectory()
    try outside.write([1], to: "secret")
    try folder.write([2], to: "file")
    try loop.value { directory.createSymbolicLink("out", to: outside.path, $0) }
    let secret = outside.path.appending("secret")
    let way = FilePath("../").appending(secret.components.dropFirst())
    for path: FilePath in ["out/secret", secret, way, "out/new"] {
      let calls: [(@escaping (Result<Void, FileError>) -> Void) -> Void] = [
        { done in directory.status(of: path) { done($0.map { _ in }) } },
        { done in directory.rename(path, to: "stolen") { done($0.map { _ in }) } },
        { done in directory.rename("file", to: path) { done($0.map { _ in }) } },
        { directory.remove(path, $0) },
        { directory.removeDirectory(path, $0) },
        { directory.createDirectory(path, $0) },
        { directory.link(path, to: "stolen", $0) },
        { directory.link("file", to: path, $0) },
        { directory.createSymbolicLink(path, to: "file", $0) },
        { done in directory.readSymbolicLink(path) { done($0.map { _ in }) } },
        { directory.replace(path, with: IOBuffer(copying: [3]), $0) },
      ]
      for (number, call) in calls.enumerated() {
        XCTAssertEqual(try loop.error(of: call).errno, .improperLink, "\(path), call \(number)")
      }
      XCTAssertEqual(
        try loop.bytes { directory.contents(of: path, $0) },
        .failure(FileError(operation: .open, path: path, errno: .improperLink)))
    }
    XCTAssertEqual(try names(outside), ["secret"])
    XCTAssertEqual(try names(folder), ["file", "out"])
  }

  func test_theDirectoryItselfHasNoNameInIt() throws {
    let (loop, _, directory) = try make()
    XCTAssertEqual(
      try loop.error { directory.removeDirectory(".", $0) },
      FileError(operation: .remove, path: ".", errno: .invalidArgument))
    XCTAssertEqual(
      try loop.error { directory.createDirectory("..", $0) },
      FileError(operation: .createDirectory, path: "..", errno: .improperLink))
  }

  // MARK: Anywhere

  func test_namesAnywhereAreMadeMovedAndRemoved() throws {
    let (loop, folder, _) = try make()
    let (sub, file) = (folder.path.appending("sub"), folder.path.appending("sub/file"))
    let (link, second) = (folder.path.appending("link"), folder.path.appending("second"))
    try loop.value { Directory.createDirectory(sub, on: loop, $0) }
    try folder.write([1, 2, 3], to: "sub/file")
    try loop.value { File.createSymbolicLink(link, to: "sub/file", on: loop, $0) }
    XCTAssertEqual(try loop.value { File.readSymbolicLink(link, on: loop, $0) }, "sub/file")
    XCTAssertEqual(try loop.value { File.status(of: link, on: loop, $0) }.byteCount, 3)
    XCTAssertEqual(
      try loop.value { File.status(of: link, followingLinks: false, on: loop, $0) }.kind,
      .symbolicLink)
    try loop.value { File.link(file, to: second, on: loop, $0) }
    XCTAssertTrue(try loop.value { File.rename(file, to: link, on: loop, $0) })
    XCTAssertEqual(try folder.contents(of: "link"), [1, 2, 3])
    try loop.value { File.remove(link, on: loop, $0) }
    try loop.value { File.remove(second, on: loop, $0) }
    try loop.value { Directory.removeDirectory(sub, on: loop, $0) }
    XCTAssertEqual(try names(folder), [])
  }

  // MARK: Failures

  func test_renameThatMayNotReplaceFails_andBothPathsAreInTheMessage() throws {
    let (loop, folder, _) = try make()
    try folder.write([1], to: "a")
    try folder.write([2], to: "b")
    let (a, b) = (folder.path.appending("a"), folder.path.appending("b"))
    let error = try loop.error { File.rename(a, to: b, replacing: false, on: loop, $0) }
    XCTAssertEqual(
      error, FileError(operation: .rename, path: a, otherPath: b, errno: .fileExists))
    XCTAssertEqual("\(error)", "rename \"\(a)\" to \"\(b)\": File exists")
    XCTAssertEqual(try folder.contents(of: "b"), [2])
  }

  func test_eachFailureSaysWhatFailed() throws {
    let (loop, folder, _) = try make()
    let missing = folder.path.appending("missing")
    try folder.write([], to: "file")
    let file = folder.path.appending("file")
    XCTAssertEqual(
      try loop.error { File.status(of: missing, on: loop, $0) },
      FileError(operation: .status, path: missing, errno: .noSuchFileOrDirectory))
    XCTAssertEqual(
      try loop.error { File.remove(missing, on: loop, $0) },
      FileError(operation: .remove, path: missing, errno: .noSuchFileOrDirectory))
    XCTAssertEqual(
      try loop.error { File.readSymbolicLink(file, on: loop, $0) },
      FileError(operation: .readSymbolicLink, path: file, errno: .invalidArgument))
    XCTAssertEqual(
      try loop.error { File.createSymbolicLink(file, to: "x", on: loop, $0) },
      FileError(operation: .createSymbolicLink, path: file, otherPath: "x", errno: .fileExists))
    XCTAssertEqual(
      try loop.error { File.link(missing, to: file, on: loop, $0) },
      FileError(
        operation: .link, path: missing, otherPath: file, errno: .noSuchFileOrDirectory))
    XCTAssertEqual(
      try loop.error { Directory.createDirectory(file, on: loop, $0) },
      FileError(operation: .createDirectory, path: file, errno: .fileExists))
    XCTAssertEqual(
      try loop.error { Directory.removeDirectory(folder.path, on: loop, $0) },
      FileError(operation: .remove, path: folder.path, errno: .directoryNotEmpty))
    XCTAssertEqual(
      try loop.error { File.rename(missing, to: file, on: loop, $0) },
      FileError(
        operation: .rename, path: missing, otherPath: file, errno: .noSuchFileOrDirectory))
  }

  // MARK: Listing

  func test_hugeDirectoryIsReadInBatches() throws {
    let (loop, folder, directory) = try make()
    for number in 0..<250 { try folder.write([], to: "file\(number)") }
    let reader = directory.batches(of: 100)
    var seen: [String] = []
    for count in [100, 100, 50, 0, 0] {
      let batch = try loop.value { reader.next($0) }
      XCTAssertEqual(batch.count, count)
      seen += batch.map(\.name.string)
    }
    XCTAssertEqual(seen.sorted(), try names(folder))
  }

  func test_listRefusesMoreEntriesThanAllowed() throws {
    let (loop, folder, directory) = try make()
    for number in 0..<3 { try folder.write([], to: "file\(number)") }
    XCTAssertEqual(try loop.value { directory.list(maximumCount: 3, $0) }.count, 3)
    XCTAssertEqual(
      try loop.error { directory.list(maximumCount: 2, $0) },
      FileError(operation: .list, path: folder.path, errno: .overflow))
  }
}
