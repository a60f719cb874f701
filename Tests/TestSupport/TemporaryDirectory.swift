import Foundation
import Glibc
public import SystemPackage

/// A directory for one test, removed with its contents.
public final class TemporaryDirectory {
  /// Where it is.
  public let path: FilePath

  /// - Parameter parent: By default `/tmp`.
  public init(in parent: FilePath = "/tmp") throws {
    var template = Array("\(parent)/swift-aio-test.XXXXXX".utf8CString)
    guard unsafe mkdtemp(&template) != nil else { throw Errno(rawValue: errno) }
    path = FilePath(String(decoding: template.dropLast().map(UInt8.init), as: UTF8.self))
  }

  deinit {
    // What a failed test left busy stays in /tmp.
    try? FileManager.default.removeItem(atPath: path.string)
  }

  /// Creates or opens a file in the directory for reading and writing.
  public func open(
    _ name: String, options: FileDescriptor.OpenOptions = [.create]
  ) throws -> FileDescriptor {
    try FileDescriptor.open(
      path.appending(name), .readWrite, options: options.union(.closeOnExec),
      permissions: .ownerReadWrite)
  }

  /// The whole content of a file, read without this package.
  public func contents(of name: String) throws -> [UInt8] {
    let file = try FileDescriptor.open(path.appending(name), .readOnly)
    defer { Glibc.close(file.rawValue) }
    var bytes = [UInt8](repeating: 0, count: Int(try file.seek(offset: 0, from: .end)))
    var done = 0
    while done < bytes.count {
      let count = try unsafe bytes[done...].withUnsafeMutableBytes {
        try unsafe file.read(fromAbsoluteOffset: Int64(done), into: $0)
      }
      guard count > 0 else { break }
      done += count
    }
    return bytes
  }

  /// Writes a file without this package.
  public func write(_ bytes: some Sequence<UInt8>, to name: String) throws {
    let file = try open(name, options: [.create, .truncate])
    defer { Glibc.close(file.rawValue) }
    _ = try file.writeAll(bytes)
  }
}
