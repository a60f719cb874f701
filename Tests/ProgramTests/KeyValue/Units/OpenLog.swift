import Logging
import PosixAIO
import ProgramSupport
import Reactor
import SystemPackage
import TestSupport
import XCTest

@testable import KeyValueServer

/// The log of aio-kv in the test's own loop.
struct OpenLog {
  static let silentLogger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

  let directory: TemporaryDirectory
  let log: Log

  /// Opens a log with these bytes, as a start of the server does; a new one if there are none.
  init(_ bytes: some Collection<UInt8> = [], on loop: EventLoop) throws {
    directory = try TemporaryDirectory()
    if !bytes.isEmpty { try directory.write(bytes, to: DataDirectory.logName) }
    var opened: Result<Log, StartFailure>?
    DataDirectory.open(directory.path, writesThrough: true, on: loop) { result in
      switch result {
      case .failure(let error): opened = .failure(error)
      case .success(let directory):
        LogReplay.begin(directory, Self.silentLogger) { result in
          opened = result.map {
            Log(
              $0.file, end: $0.end, $0.chain, in: directory, $0.database, .init(),
              Self.silentLogger)
          }
        }
      }
    }
    try loop.run(until: "the log was open") { opened != nil }
    log = try XCTUnwrap(opened).get()
  }

  /// The value of a key.
  subscript(key: String) -> String? {
    let value = log.database.read(Key(Array(key.utf8)), .newest)
    return value.map { String(decoding: $0.bytes, as: UTF8.self) }
  }

  /// Sets a key; returns when that is on the disk.
  func set(_ key: String, _ value: String) throws {
    log.database.set(Key(Array(key.utf8)), Value(bytes: Array(value.utf8)))
    log.commit()
    try log.loop.run(until: "\(key) was written") { !log.isBusy }
  }

  /// The file as it is on the disk.
  func bytes() throws -> [UInt8] { try directory.contents(of: DataDirectory.logName) }

  /// The file up to the end of the last record, and at most `preallocatedByteCount` bytes after it:
  /// what a crash at this moment leaves, without an orderly end.
  func records(preallocatedByteCount: Int = 0) throws -> [UInt8] {
    Array(try bytes().prefix(Int(log.end) + preallocatedByteCount))
  }

  /// Ends the log as the end of the server does.
  func close() throws {
    var isClosed = false
    log.close { isClosed = true }
    try log.loop.run(until: "the log was closed") { isClosed }
  }
}

extension EventLoop {
  func run(until what: String, _ condition: () -> Bool) throws {
    guard run(until: condition, timeout: testDeadline) else {
      throw Failure("the deadline passed before \(what)")
    }
  }
}
