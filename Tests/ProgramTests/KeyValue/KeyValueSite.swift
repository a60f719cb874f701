import Foundation
import Glibc
import SystemPackage
import TestSupport
import XCTest

@testable import KeyValueServer

/// A directory with a log, and a server for it that can be killed and started again.
final class KeyValueSite {
  static let logName = "aio-kv.log"

  private(set) var server: ServerProcess
  let directory: TemporaryDirectory
  private let arguments: [String]
  private let launcher: [String]
  private let errorsPath: String

  init(_ arguments: [String] = [], launcher: (FilePath) throws -> [String] = { _ in [] }) throws {
    directory = try TemporaryDirectory()
    try FileManager.default.createDirectory(
      atPath: directory.path.appending("data").string, withIntermediateDirectories: false)
    try directory.write([], to: "errors")
    errorsPath = directory.path.appending("errors").string
    self.arguments = ["--dir", directory.path.appending("data").string, "--port", "0"] + arguments
    self.launcher = try launcher(directory.path.appending("data"))
    server = try Self.start(self.arguments, self.launcher, errorsPath)
  }

  private static func start(
    _ arguments: [String], _ launcher: [String], _ errorsPath: String
  ) throws -> ServerProcess {
    guard let errors = FileHandle(forWritingAtPath: errorsPath) else {
      throw Errno(rawValue: errno)
    }
    errors.seekToEndOfFile()
    return try ServerProcess(
      "aio-kv", launcher: launcher, arguments: arguments, errors: errors)
  }

  /// Starts the server once more; it has ended or was killed.
  func start() throws {
    server = try Self.start(arguments, launcher, errorsPath)
  }

  func crash() throws {
    server.kill9()
    try start()
  }

  /// Ends the server in good order.
  func end() throws {
    server.send(SIGTERM)
    XCTAssertEqual(try server.waitForEnd().status, 0)
  }

  func client() throws -> RedisClient { try RedisClient(port: server.port) }

  /// The server's standard error, from all of its runs.
  func errors() throws -> String {
    String(decoding: try directory.contents(of: "errors"), as: UTF8.self)
  }

  var logPath: String { directory.path.appending("data").appending(Self.logName).string }

  func log() throws -> [UInt8] {
    Array(try Data(contentsOf: URL(fileURLWithPath: logPath)))
  }

  /// The log up to the end of its last whole record, without a preallocation or a torn end.
  func records() throws -> [UInt8] {
    let log = try log()
    let header = try XCTUnwrap(unsafe LogHeader(log.span.bytes))
    var end = LogHeader.byteCount
    unsafe log.withUnsafeBytes { bytes in
      while case .record(_, let frame) = unsafe LogRecord.read(
        UnsafeRawBufferPointer(rebasing: bytes[end...]).bytes, header)
      {
        end += frame.byteCount
      }
    }
    return Array(log[..<end])
  }

  func setLog(_ bytes: some Sequence<UInt8>) throws {
    try Data(bytes).write(to: URL(fileURLWithPath: logPath))
  }

  func names() throws -> [String] {
    try FileManager.default.contentsOfDirectory(
      atPath: directory.path.appending("data").string
    ).sorted()
  }

  /// Runs the program for this directory until it ends by itself.
  func runToEnd() throws -> Program.Outcome { try Program.run("aio-kv", arguments) }
}

/// Tests with a server of their own.
class KeyValueTestCase: XCTestCase {
  private var site: KeyValueSite?

  func serve(
    _ arguments: String..., launcher: (FilePath) throws -> [String] = { _ in [] }
  ) throws -> KeyValueSite {
    let site = try KeyValueSite(arguments, launcher: launcher)
    self.site = site
    return site
  }

  override func tearDown() {
    site = nil
  }

  // MARK: Replies

  func assert(
    _ client: RedisClient, _ exchanges: [(String, RedisReply)], file: StaticString = #filePath,
    line: UInt = #line
  ) throws {
    for (words, reply) in exchanges {
      XCTAssertEqual(try client.line(words), reply, words, file: file, line: line)
    }
  }

  let notAnInteger = RedisReply.error("ERR value is not an integer or out of range")
  let syntaxError = RedisReply.error("ERR syntax error")

  func wrongCount(_ name: String) -> RedisReply {
    .error("ERR wrong number of arguments for '\(name)' command")
  }
}
