package import CEvaio
internal import Glibc
internal import PosixAIO
internal import SystemPackage

/// Where a result goes: C's callback and its argument.
@safe
struct Receiver {
  let callback: evaio_cb?
  let argument: UnsafeMutableRawPointer?

  init(_ callback: evaio_cb?, _ argument: UnsafeMutableRawPointer?) {
    unsafe self.callback = callback
    unsafe self.argument = argument
  }

  func receive(_ result: Result<Int, FileError>) {
    guard let callback = unsafe callback else { return }
    switch result {
    case .success(let count): unsafe callback(count, nil, argument)
    case .failure(let error):
      unsafe error.withC { unsafe callback(-1, $0, argument) }
    }
  }

  func receive(_ result: Result<Void, FileError>) {
    receive(result.map { 0 })
  }
}

extension FileError {
  /// Calls `body` with the error as C knows it, which is valid until `body` returns.
  @unsafe
  func withC<Value>(_ body: (UnsafePointer<evaio_error>) -> Value) -> Value {
    unsafe operation.description.withCString { operation in
      unsafe withCPath(path) { path in
        unsafe withCPath(otherPath) { otherPath in
          var error = unsafe evaio_error()
          unsafe error.code = errno.rawValue
          unsafe error.operation = operation
          unsafe error.path = path
          unsafe error.other_path = otherPath
          unsafe error.offset = offset ?? -1
          unsafe error.done = byteCountDone
          return unsafe withUnsafePointer(to: &error, body)
        }
      }
    }
  }

  /// - Parameter error: As C has got it.
  @unsafe
  init(_ error: evaio_error) {
    let path = unsafe error.path.map { unsafe FilePath(platformString: $0) }
    let otherPath = unsafe error.other_path.map { unsafe FilePath(platformString: $0) }
    let operation = unsafe error.operation.map { unsafe String(cString: $0) } ?? "operation"
    unsafe self.init(
      operation: Operation(operation), path: path, otherPath: otherPath,
      offset: error.offset < 0 ? nil : error.offset, byteCountDone: error.done,
      errno: Errno(rawValue: error.code))
  }
}

private func withCPath<Value>(
  _ path: FilePath?, _ body: (UnsafePointer<CChar>?) -> Value
) -> Value {
  guard let path else { return body(nil) }
  return unsafe path.withPlatformString { unsafe body($0) }
}

@c @implementation
package func evaio_error_format(
  _ error: UnsafePointer<evaio_error>?, _ line: UnsafeMutablePointer<CChar>?, _ size: Int
) -> Int32 {
  guard let error = unsafe error else { trap("evaio_error_format: the error is NULL") }
  let text = unsafe FileError(error.pointee).description
  return unsafe text.withCString { text in
    let length = unsafe strlen(text)
    let size = Int(clampingSize: size)
    if let line = unsafe line, size > 0 {
      let count = min(length, size - 1)
      unsafe memcpy(line, text, count)
      unsafe line[count] = 0
    }
    return Int32(clamping: length)
  }
}
