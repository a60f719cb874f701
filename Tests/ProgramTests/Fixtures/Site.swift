import Foundation
import Glibc
import SystemPackage
import TestSupport
import XCTest

/// A folder that is served by the program, and beside it a file that must never be sent.
final class Site {
  static let secret = "what stands outside of the root"

  let server: ServerProcess

  /// The folder that is served.
  let root: FilePath

  /// The folder around the root, with the secret in it.
  let surroundings: TemporaryDirectory

  /// The folder that is served, as the server sees it, should it have mounts of its own.
  private let seenRoot: String

  /// - Parameter arguments: For the program, which by default looks at a file for each request:
  ///   most tests change files and ask at once.
  init(
    _ arguments: [String] = [], launcher: (FilePath) throws -> [String] = { _ in [] }
  ) throws {
    surroundings = try TemporaryDirectory()
    try surroundings.write(Self.secret.utf8, to: "secret")
    try surroundings.write([], to: "errors")
    root = surroundings.path.appending("root")
    // Somebody else than the owner may be asked to serve it.
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

  /// One request on a connection of its own.
  func ask(_ method: String, _ target: String, body: [UInt8]? = nil) throws -> Answer {
    try client().ask(method, target, body: body)
  }

  func get(_ target: String) throws -> Answer { try ask("GET", target) }

  func put(_ target: String, _ body: some Sequence<UInt8>) throws -> Answer {
    try ask("PUT", target, body: Array(body))
  }

  // MARK: The files

  /// The path of the folder around the root.
  var outside: String { surroundings.path.string }

  func path(_ name: String) -> String { "\(seenRoot)/\(name)" }

  func write(_ bytes: some Sequence<UInt8>, to name: String) throws {
    try Data(bytes).write(to: URL(fileURLWithPath: path(name)))
  }

  func makeFolder(_ name: String) throws {
    try FileManager.default.createDirectory(
      atPath: path(name), withIntermediateDirectories: true)
  }

  func makeLink(_ name: String, to goal: String) throws {
    try FileManager.default.createSymbolicLink(atPath: path(name), withDestinationPath: goal)
  }

  /// Makes a pipe, a device, …; wraps `mknod(2)`.
  func makeNode(_ name: String, _ mode: mode_t, device: dev_t = 0) throws(Errno) {
    guard unsafe mknod(path(name), mode | 0o644, device) == 0 else {
      throw Errno(rawValue: errno)
    }
  }

  func setPermissions(_ permissions: Int, of name: String) throws {
    try FileManager.default.setAttributes(
      [.posixPermissions: permissions], ofItemAtPath: path(name))
  }

  /// Makes a file that is all holes, or sets the length of one.
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

  /// All names in a folder, hidden ones too.
  func names(in folder: String = ".") throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: path(folder)).sorted()
  }

  /// Checks that nothing was written around the root.
  func assertSurroundingsUntouched(file: StaticString = #filePath, line: UInt = #line) throws {
    let names = try FileManager.default.contentsOfDirectory(atPath: surroundings.path.string)
    XCTAssertEqual(names.sorted(), ["errors", "root", "secret"], file: file, line: line)
    XCTAssertEqual(
      try surroundings.contents(of: "secret"), Array(Self.secret.utf8), file: file, line: line)
  }
}

/// Tests that serve a folder, each its own.
class SiteTestCase: XCTestCase {
  private var site: Site?

  /// Serves an empty folder until the end of the test.
  func serve(_ arguments: String...) throws -> Site {
    let site = try Site(arguments)
    self.site = site
    return site
  }

  /// Serves an empty folder by a program that another command starts.
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
