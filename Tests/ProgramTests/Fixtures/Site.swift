import Foundation
import Glibc
import SystemPackage
import TestSupport
import XCTest

/// A directory that the program serves, next to a file that must never be sent.
final class Site {
  static let secret = "what stands outside of the root"

  let server: ServerProcess

  /// The served directory.
  let root: FilePath

  /// The parent directory of the root, which contains the secret.
  let surroundings: TemporaryFolder

  /// The served directory as the server sees it, in case it has its own mounts.
  private let seenRoot: String

  /// - Parameter arguments: Arguments for the program. By default it checks a file for each
  ///   request, because most tests change files and send a request immediately.
  init(
    _ arguments: [String] = [], launcher: (FilePath) throws -> [String] = { _ in [] }
  ) throws {
    surroundings = try TemporaryFolder()
    try surroundings.write(Self.secret.utf8, to: "secret")
    try surroundings.write([], to: "errors")
    root = surroundings.path.appending("root")
    // A user other than the owner may serve it.
    try FileManager.default.setAttributes(
      [.posixPermissions: 0o755], ofItemAtPath: surroundings.path.string)
    try FileManager.default.createDirectory(atPath: root.string, withIntermediateDirectories: false)
    let errorsPath = surroundings.path.appending("errors").string
    guard let errors = FileHandle(forWritingAtPath: errorsPath) else {
      throw Errno(rawValue: errno)
    }
    server = try ServerProcess(
      launcher: launcher(root),
      arguments: ["--root", root.string, "--port", "0", "--open-file-validity", "0"] + arguments,
      errors: errors)
    seenRoot = "/proc/\(server.identifier)/root\(root)"
  }

  func client(receiveBufferByteCount: Int32? = nil) throws -> Client {
    try Client(port: server.port, receiveBufferByteCount: receiveBufferByteCount)
  }

  /// Sends one request on its own connection.
  func ask(_ method: String, _ target: String, body: [UInt8]? = nil) throws -> Response {
    try client().ask(method, target, body: body)
  }

  func get(_ target: String) throws -> Response { try ask("GET", target) }

  func put(_ target: String, _ body: some Sequence<UInt8>) throws -> Response {
    try ask("PUT", target, body: Array(body))
  }

  // MARK: The files

  /// The path of the parent directory of the root.
  var outside: String { surroundings.path.string }

  func path(_ name: String) -> String { "\(seenRoot)/\(name)" }

  func write(_ bytes: some Sequence<UInt8>, to name: String) throws {
    try Data(bytes).write(to: URL(fileURLWithPath: path(name)))
  }

  func makeDirectory(_ name: String) throws {
    try FileManager.default.createDirectory(
      atPath: path(name), withIntermediateDirectories: true)
  }

  func makeLink(_ name: String, to target: String) throws {
    try FileManager.default.createSymbolicLink(atPath: path(name), withDestinationPath: target)
  }

  /// Creates a pipe, a device or another special file; wraps `mknod(2)`.
  func makeNode(_ name: String, _ mode: mode_t, device: dev_t = 0) throws(Errno) {
    guard unsafe mknod(path(name), mode | 0o644, device) == 0 else {
      throw Errno(rawValue: errno)
    }
  }

  func setPermissions(_ permissions: Int, of name: String) throws {
    try FileManager.default.setAttributes(
      [.posixPermissions: permissions], ofItemAtPath: path(name))
  }

  /// Creates a sparse file, or sets the length of a file.
  func setLength(_ byteCount: Int, of name: String) throws {
    let file = try FileDescriptor.open(
      FilePath(path(name)), .writeOnly, options: [.create, .closeOnExec],
      permissions: .ownerReadWrite)
    defer { close(file.rawValue) }
    guard ftruncate(file.rawValue, byteCount) == 0 else { throw Errno(rawValue: errno) }
  }

  func contents(of name: String) throws -> [UInt8] {
    Array(try Data(contentsOf: URL(fileURLWithPath: path(name))))
  }

  func text(of name: String) throws -> String {
    String(decoding: try contents(of: name), as: UTF8.self)
  }

  /// All names in a directory, including hidden ones.
  func names(in directory: String = ".") throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: path(directory)).sorted()
  }

  /// Checks that no file was written outside the root.
  func assertSurroundingsUntouched(file: StaticString = #filePath, line: UInt = #line) throws {
    let names = try FileManager.default.contentsOfDirectory(atPath: surroundings.path.string)
    XCTAssertEqual(names.sorted(), ["errors", "root", "secret"], file: file, line: line)
    XCTAssertEqual(
      try surroundings.contents(of: "secret"), Array(Self.secret.utf8), file: file, line: line)
  }
}

/// A test case whose tests each serve their own directory.
class SiteTestCase: XCTestCase {
  private var site: Site?

  /// Serves an empty directory until the end of the test.
  func serve(_ arguments: String...) throws -> Site {
    let site = try Site(arguments)
    self.site = site
    return site
  }

  /// Serves an empty directory with a program that another command starts.
  func serve(
    _ arguments: String..., launcher: (FilePath) throws -> [String]
  ) throws -> Site {
    let site = try Site(arguments, launcher: launcher)
    self.site = site
    return site
  }

  override func tearDown() {
    site = nil
  }
}
