import Foundation
import Glibc
import TestSupport
import XCTest

/// A disk that fails writes under `--sync everysec`: strace(1) makes the system calls fail.
final class FailedSyncTests: KeyValueTestCase {
  func test_logIsWrittenAnew_whenItCannotBeSynced() throws {
    let site = try serve("--sync", "everysec")
    let client = try site.client()
    XCTAssertEqual(try client.ask("SET", "key", "1"), .ok)
    let failing = try FailingCalls("fdatasync", of: site.server.identifier)
    XCTAssertEqual(try client.ask("SET", "key", "2"), .ok)
    try repeatUntil("a sync had failed, and a rewrite with it") {
      let errors = try site.errors()
      return errors.contains("the log cannot be synced: data sync")
        && errors.contains("the log cannot be rewritten: data sync")
    }
    // No client was promised that it is on the disk yet, so no write is refused.
    XCTAssertEqual(try client.ask("SET", "key", "3"), .ok)
    XCTAssertEqual(try client.ask("GET", "key"), "3")
    failing.end()
    try repeatUntil("the log was rewritten") { try site.errors().contains("rewrote the log") }
    XCTAssertEqual(try client.ask("APPEND", "key", "x"), 2)
    try site.crash()
    XCTAssertEqual(try site.client().ask("GET", "key"), "3x")
    XCTAssertEqual(try site.names(), [KeyValueSite.logName, "aio-kv.lock"].sorted())
  }

  func test_writesAreRefused_asLongAsTheLogCannotBeWritten() throws {
    for policy in ["always", "everysec"] {
      let site = try KeyValueSite(["--sync", policy])
      let client = try site.client()
      XCTAssertEqual(try client.ask("SET", "key", "old"), .ok)
      let failing = try FailingCalls("pwrite64,ftruncate", of: site.server.identifier)
      let refusal = try client.ask("SET", "key", "new").errorText
      XCTAssertEqual(
        refusal,
        "MISCONF The log cannot be written: Input/output error. Writes are refused; reads continue."
      )
      XCTAssertEqual(try client.ask("GET", "key"), "old")
      try repeatUntil("the repair had failed") {
        try site.errors().contains("the log cannot be repaired")
      }
      XCTAssertEqual(try client.ask("SET", "key", "new").errorText, refusal)
      failing.end()
      try repeatUntil("the log was repaired") { try client.ask("SET", "key", "newer") == .ok }
      try site.crash()
      XCTAssertEqual(try site.client().ask("GET", "key"), "newer")
    }
  }
}

/// Makes system calls of a process fail with EIO, until it is released.
private final class FailingCalls {
  private let process = Process()

  init(_ calls: String, of identifier: pid_t) throws {
    let path = "/usr/bin/strace"
    guard FileManager.default.isExecutableFile(atPath: path) else {
      throw XCTSkip("there is no strace here")
    }
    let told = Pipe()
    process.executableURL = URL(fileURLWithPath: path)
    process.arguments = [
      "-f", "-o", "/dev/null", "-e", "inject=\(calls):error=EIO", "-p", "\(identifier)",
    ]
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = FileHandle.nullDevice
    process.standardError = told
    try process.run()
    // It says that it is attached, or why it is not.
    let line = String(decoding: told.fileHandleForReading.availableData, as: UTF8.self)
    guard line.contains("attached") else { throw XCTSkip("strace: \(line)") }
  }

  deinit { end() }

  func end() {
    guard process.isRunning else { return }
    process.interrupt()
    process.waitUntilExit()
  }
}
