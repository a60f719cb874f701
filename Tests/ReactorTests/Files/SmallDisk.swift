import CFaults
import Foundation
import Glibc
import SystemPackage
import XCTest

/// A file system of a few pages, for tests that fill it.
final class SmallDisk {
  static let pageByteCount = 4096

  let path: FilePath
  private let disk: Int32

  init(pageCount: Int) throws {
    disk = cfaults_small_disk(Self.pageByteCount * pageCount)
    guard disk >= 0 else { throw XCTSkip("no tmpfs of its own: \(Errno(rawValue: errno))") }
    path = FilePath("/proc/self/fd/\(disk)")
  }

  deinit { Glibc.close(disk) }

  func makeReadOnly() throws {
    guard cfaults_make_read_only(disk) == 0 else { throw Errno(rawValue: errno) }
  }

  func names() throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: path.string + "/").sorted()
  }

  func contents(of name: String) throws -> [UInt8] {
    Array(try Data(contentsOf: URL(fileURLWithPath: path.appending(name).string)))
  }

  func write(_ bytes: some Sequence<UInt8>, to name: String) throws {
    let file = try FileDescriptor.open(
      path.appending(name), .writeOnly, options: [.create, .truncate],
      permissions: .ownerReadWrite)
    defer { Glibc.close(file.rawValue) }
    _ = try file.writeAll(bytes)
  }
}
