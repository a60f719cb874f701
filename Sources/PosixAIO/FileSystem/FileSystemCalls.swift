internal import Glibc
package import SystemPackage

/// Blocking calls on names and descriptors, which run on helper threads. Converts C's errno to
/// `FileError`.
package enum FileSystemCalls {
  package static func open(
    _ anchor: PathAnchor, flags: Int32, permissions: FilePermissions
  ) throws(FileError) -> FileDescriptor {
    try call(.open, anchor.path) { () throws(Errno) in
      switch anchor {
      case .anywhere(let path):
        let raw = unsafe path.withPlatformString {
          unsafe Glibc.open($0, flags | O_CLOEXEC, permissions.rawValue)
        }
        return FileDescriptor(rawValue: try checked(raw))
      case .beneath(let directory, let path):
        return try openBeneath(directory, path, flags: flags, permissions: permissions)
      }
    }
  }

  package static func close(_ descriptor: FileDescriptor, path: FilePath?) throws(FileError) {
    // Linux releases the number even if the call fails, so it is never retried.
    try call(.close, path) { () throws(Errno) in
      _ = try checked(Glibc.close(descriptor.rawValue))
    }
  }

  /// Closes a file's descriptors and throws the first error.
  package static func close(
    _ descriptors: ClosingDescriptors, path: FilePath?
  ) throws(FileError) {
    do throws(Errno) {
      try descriptors.close()
    } catch {
      throw FileError(operation: .close, path: path, errno: error)
    }
  }

  /// Repeats a call while signals interrupt it, and describes the failure.
  package static func call<Value>(
    _ operation: FileError.Operation, _ path: FilePath?, to otherPath: FilePath? = nil,
    at offset: Int64? = nil, _ body: () throws(Errno) -> Value
  ) throws(FileError) -> Value {
    while true {
      do throws(Errno) {
        return try body()
      } catch .interrupted where operation != .close {
        continue
      } catch {
        throw FileError(
          operation: operation, path: path, otherPath: otherPath, offset: offset, errno: error)
      }
    }
  }
}
