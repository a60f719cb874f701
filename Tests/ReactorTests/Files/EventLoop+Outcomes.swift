import PosixAIO
import Reactor
import SystemPackage
import XCTest

extension EventLoop {
  /// Runs the loop until a call has given its outcome, which it gives once, and not from inside
  /// itself.
  func outcome<Value>(
    file: StaticString = #filePath, line: UInt = #line,
    of call: (@escaping (Result<Value, FileError>) -> Void) throws -> Void
  ) throws -> Result<Value, FileError> {
    var outcome: Result<Value, FileError>?
    var isInsideCall = true
    try call { [unowned self] result in
      XCTAssertFalse(isInsideCall, "called from inside the call", file: file, line: line)
      XCTAssertNil(outcome, "called twice", file: file, line: line)
      outcome = result
      stop()
    }
    isInsideCall = false
    runUntilStopped(file: file, line: line)
    return try XCTUnwrap(outcome, file: file, line: line)
  }

  /// The value of a call that succeeds.
  @discardableResult
  func value<Value>(
    file: StaticString = #filePath, line: UInt = #line,
    of call: (@escaping (Result<Value, FileError>) -> Void) throws -> Void
  ) throws -> Value {
    try outcome(file: file, line: line, of: call).get()
  }

  /// The error of a call that fails.
  func error<Value>(
    file: StaticString = #filePath, line: UInt = #line,
    of call: (@escaping (Result<Value, FileError>) -> Void) throws -> Void
  ) throws -> FileError {
    switch try outcome(file: file, line: line, of: call) {
    case .success(let value):
      throw Unexpected(description: "it gave \(value)")
    case .failure(let error): return error
    }
  }

  /// The outcome of a call that gives a buffer, as an array.
  func bytes(
    file: StaticString = #filePath, line: UInt = #line,
    of call: (@escaping File.ContentsHandler) throws -> Void
  ) throws -> Result<[UInt8], FileError> {
    try outcome(file: file, line: line) { done in
      try call { result in
        switch consume result {
        case .success(let buffer): done(.success(Array(buffer)))
        case .failure(let error): done(.failure(error))
        }
      }
    }
  }

  /// Opens a file.
  func open(
    _ path: FilePath, _ mode: FileDescriptor.AccessMode = .readWrite,
    options: FileDescriptor.OpenOptions = .create
  ) throws -> File {
    try value { File.open(path, mode, options: options, on: self, $0) }
  }

  /// Closes a file.
  func close(_ file: File) throws {
    try value { file.close($0) }
  }

  /// Runs the loop until a condition holds.
  func wait(until condition: @escaping () -> Bool) {
    guard !condition() else { return }
    let check = schedule(every: .milliseconds(1)) { [unowned self] in
      if condition() { stop() }
    }
    runUntilStopped()
    check.cancel()
  }
}

/// What a call gave in place of an error.
struct Unexpected: Error, CustomStringConvertible {
  let description: String
}
