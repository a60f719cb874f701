import Foundation
import Glibc
import PosixAIO
import Reactor
import SystemPackage
import TestSupport
import XCTest

@testable import FileServer

/// A directory whose files are kept open on a loop, with a clock that only the test advances.
final class KeptDirectory {
  typealias Outcome = Result<OpenFile, FileError>

  let folder: TemporaryFolder
  let loop: EventLoop

  /// The paths requested from the file system, in order.
  private(set) var opens: [FilePath] = []

  /// Makes opens fail.
  var fault: (FilePath) -> Errno? = { _ in nil }

  private var time: Int64 = 1_000_000_000
  private let directory: Directory
  private var kept: OpenFiles?

  /// - Parameter configuration: The configuration; the default validity is 1 second.
  init(_ configuration: OpenFiles.Configuration = .init()) throws {
    folder = try TemporaryFolder()
    loop = try EventLoop()
    directory = try Self.directory(folder.path, on: loop)
    kept = OpenFiles(
      in: directory, configuration, clock: { [unowned self] in time },
      opener: { [unowned self] path, handler in
        opens.append(path)
        if let errno = fault(path) {
          let error = FileError(operation: .open, path: path, errno: errno)
          return _ = loop.nextTurn { handler(.failure(error)) }
        }
        directory.openFile(path, .readOnly, options: .nonBlocking, handler)
      })
  }

  deinit {
    // The timer keeps a cache with entries alive.
    kept?.close()
  }

  private static func directory(_ path: FilePath, on loop: EventLoop) throws -> Directory {
    var opened: Result<Directory, FileError>?
    Directory.open(path, on: loop) { result in
      opened = result
      loop.stop()
    }
    run(loop)
    return try XCTUnwrap(opened).get()
  }

  private static func run(_ loop: EventLoop) {
    let deadline = loop.schedule(after: testDeadline) {
      XCTFail("the loop was not stopped in time")
      loop.stop()
    }
    loop.run()
    deadline.cancel()
  }

  // MARK: The cache

  var files: OpenFiles {
    guard let kept else { preconditionFailure("KeptDirectory: it was dropped") }
    return kept
  }

  /// - Returns: The cache, which has no other reference by now.
  func dropFiles() -> () -> OpenFiles? {
    defer { kept = nil }
    return { [weak kept] in kept }
  }

  /// Opens one file after another.
  func outcome(_ path: FilePath) throws -> Outcome { try outcomes([path])[0] }

  func open(_ name: String) throws -> OpenFile { try outcome(FilePath(name)).get() }

  /// The error of opening a name; nil if it succeeds.
  func failure(_ name: String) throws -> Errno? {
    if case .failure(let error) = try outcome(FilePath(name)) { error.errno } else { nil }
  }

  /// Opens all of them concurrently.
  ///
  /// - Parameter meanwhile: Called after all opens have begun, before any of them completes that is
  ///   not kept.
  func outcomes(_ paths: [FilePath], meanwhile: () -> Void = {}) throws -> [Outcome] {
    var outcomes = [Outcome?](repeating: nil, count: paths.count)
    var missing = paths.count
    var isRunning = false
    for (index, path) in paths.enumerated() {
      files.open(path) { [loop] outcome in
        XCTAssertNil(outcomes[index], "called twice")
        outcomes[index] = outcome
        missing -= 1
        if missing == 0, isRunning { loop.stop() }
      }
    }
    meanwhile()
    isRunning = true
    if missing > 0 { Self.run(loop) }
    return try outcomes.map { try XCTUnwrap($0) }
  }

  func advance(_ duration: Duration) { time += duration.nanoseconds }

  /// Runs the loop until a condition holds.
  func wait(until condition: @escaping () throws -> Bool) {
    let check = loop.schedule(every: .milliseconds(1)) { [loop] in
      if (try? condition()) ?? false { loop.stop() }
    }
    Self.run(loop)
    check.cancel()
  }

  // MARK: The files

  func path(_ name: String) -> String { folder.path.appending(name).string }

  func write(_ text: String, to name: String) throws {
    try folder.write(text.utf8, to: name)
  }

  /// Moves another file to the name.
  func replace(_ name: String, by text: String) throws {
    try write(text, to: "new file")
    guard unsafe rename(path("new file"), path(name)) == 0 else { throw Errno(rawValue: errno) }
  }

  func remove(_ name: String) throws {
    guard unsafe Glibc.remove(path(name)) == 0 else { throw Errno(rawValue: errno) }
  }

  func makeDirectory(_ name: String) throws {
    try FileManager.default.createDirectory(
      atPath: path(name), withIntermediateDirectories: false)
  }

  /// Reads a file on the loop.
  func text(of file: OpenFile) throws -> String {
    var text: String?
    file.file.read(into: IOBuffer(capacity: 100), at: 0) { [loop] _, buffer in
      text = String(decoding: Array(buffer), as: UTF8.self)
      loop.stop()
    }
    Self.run(loop)
    return try XCTUnwrap(text)
  }

  func text(of name: String) throws -> String { try text(of: open(name)) }

  /// The number of descriptors of files in the directory, including unlinked files.
  func descriptorCount() throws -> Int {
    try openDescriptors().values.count { $0.hasPrefix(folder.path.string + "/") }
  }
}

extension OpenFiles {
  func open(_ path: FilePath, _ handler: @escaping Handler) { open(PathKey(path), handler) }

  func invalidate(_ path: FilePath) { invalidate(PathKey(path)) }
}
