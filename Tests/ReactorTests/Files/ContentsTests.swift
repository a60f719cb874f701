import Foundation
import Glibc
import PosixAIO
import Reactor
import SystemPackage
import TestSupport
import XCTest

/// Reading whole files.
final class ContentsTests: XCTestCase {
  func test_filesOfAllSizesAreReadWhole() throws {
    let (folder, loop) = (try TemporaryDirectory(), try EventLoop())
    let before = try openDescriptors()
    for byteCount in [0, 1, 4095, 4096, 65_536, 65_537, 1_000_000] {
      let bytes = Pattern.block(byteCount, byteCount: byteCount)
      try folder.write(bytes, to: "file")
      let path = folder.path.appending("file")
      XCTAssertTrue(
        try loop.bytes { File.contents(of: path, maximumByteCount: byteCount, on: loop, $0) }
          == .success(bytes), "\(byteCount)")
      guard byteCount > 0 else { continue }
      let limit = byteCount - 1
      let refused = try loop.bytes {
        File.contents(of: path, maximumByteCount: limit, on: loop, $0)
      }
      let error = FileError(
        operation: .read, path: path, offset: Int64(limit), errno: .fileTooLarge)
      XCTAssertEqual(refused, .failure(error))
    }
    XCTAssertEqual(try openDescriptors(), before)
  }

  func test_largestMaximumIsNoLimit() throws {
    let (folder, loop) = (try TemporaryDirectory(), try EventLoop())
    for byteCount in [0, 100] {
      let bytes = Pattern.block(1, byteCount: byteCount)
      try folder.write(bytes, to: "file")
      let path = folder.path.appending("file")
      XCTAssertEqual(
        try loop.bytes { File.contents(of: path, maximumByteCount: .max, on: loop, $0) },
        .success(bytes))
    }
  }

  func test_filesOfProcAreReadWhole_thoughTheirSizeSays0() throws {
    let loop = try EventLoop()
    let enabled = FilePath("/sys/kernel/mm/transparent_hugepage/enabled")
    for path: FilePath in ["/proc/self/status", "/proc/kallsyms", enabled] {
      // Not by Foundation, which believes the size.
      guard let expected = try? bytes(of: path) else { continue }
      let read = try loop.bytes { File.contents(of: path, on: loop, $0) }.get()
      // What of it changes does not change how much it is, or hardly.
      XCTAssertEqual(read.prefix(6), expected.prefix(6))
      XCTAssertEqual(read.last, UInt8(ascii: "\n"))
      XCTAssertEqual(
        Double(read.count), Double(expected.count), accuracy: Double(expected.count) / 10 + 16)
    }
  }

  func test_endlessFileOfProcEndsAtTheMaximum() throws {
    let loop = try EventLoop()
    let path = FilePath("/proc/self/status")
    let result = try loop.bytes {
      File.contents(of: path, maximumByteCount: 100, on: loop, $0)
    }
    XCTAssertEqual(
      result,
      .failure(FileError(operation: .read, path: path, offset: 100, errno: .fileTooLarge)))
  }

  func test_fileThatGrewSinceItWasOpenedIsReadToItsEnd() throws {
    let (folder, loop) = (try TemporaryDirectory(), try EventLoop())
    try folder.write(Pattern.block(0, byteCount: 10), to: "file")
    let file = try loop.open(folder.path.appending("file"))
    let bytes = Pattern.block(1, byteCount: 300_000)
    try folder.write(bytes, to: "file")
    XCTAssertTrue(try loop.bytes { file.contents($0) } == .success(bytes))
  }

  func test_fileThatShrankSinceItWasOpenedIsReadToItsEnd() throws {
    let (folder, loop) = (try TemporaryDirectory(), try EventLoop())
    try folder.write(Pattern.block(0, byteCount: 300_000), to: "file")
    let file = try loop.open(folder.path.appending("file"))
    try folder.write([1, 2, 3], to: "file")
    XCTAssertEqual(try loop.bytes { file.contents($0) }, .success([1, 2, 3]))
    try folder.write([], to: "file")
    XCTAssertEqual(try loop.bytes { file.contents($0) }, .success([]))
    XCTAssertEqual(try loop.value { file.status($0) }.byteCount, 0)
  }

  func test_whatIsNoRegularFileIsRefused_withoutWaitingForAnybody() throws {
    let (folder, loop) = (try TemporaryDirectory(), try EventLoop())
    let pipe = folder.path.appending("pipe")
    XCTAssertEqual(unsafe mkfifo(pipe.string, 0o600), 0)
    for (path, errno) in [
      (folder.path, Errno.isDirectory), (pipe, .invalidArgument), ("/dev/zero", .invalidArgument),
    ] {
      XCTAssertEqual(
        try loop.bytes { File.contents(of: path, on: loop, $0) },
        .failure(FileError(operation: .read, path: path, offset: 0, errno: errno)))
    }
    let missing = folder.path.appending("missing")
    XCTAssertEqual(
      try loop.bytes { File.contents(of: missing, on: loop, $0) },
      .failure(FileError(operation: .open, path: missing, errno: .noSuchFileOrDirectory)))
  }

  func test_cancelledReadEndsOnce_andClosesTheFile() throws {
    let (folder, loop) = (try TemporaryDirectory(), try EventLoop())
    try folder.write(Pattern.block(0, byteCount: 100_000), to: "file")
    let before = try openDescriptors()
    for path in [folder.path.appending("file"), "/proc/self/maps"] {
      let result = try loop.bytes { done in
        File.contents(of: path, on: loop, done).cancel()
      }
      guard case .failure(let error) = result else { return XCTFail("it was cancelled") }
      XCTAssertEqual(
        error, FileError(operation: .read, path: path, offset: 0, errno: .canceled))
    }
    XCTAssertEqual(try openDescriptors(), before)
  }

  private func bytes(of path: FilePath) throws -> [UInt8] {
    let file = try FileDescriptor.open(path, .readOnly)
    defer { Glibc.close(file.rawValue) }
    var bytes: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 65_536)
    while case let count = try unsafe piece.withUnsafeMutableBytes({
      try unsafe file.read(into: $0)
    }),
      count > 0
    {
      bytes += piece[..<count]
    }
    return bytes
  }
}
