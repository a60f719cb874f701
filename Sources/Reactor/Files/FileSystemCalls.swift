internal import CLibevent
internal import Glibc
internal import PosixAIO
internal import SystemPackage

/// The calls on names and descriptors that block, and therefore run on helper threads. The door
/// between C's errno and `FileError` for them.
enum FileSystemCalls {
  static func open(
    _ place: Place, flags: Int32, permissions: FilePermissions
  ) throws(FileError) -> FileDescriptor {
    try call(.open, place.path) { () throws(Errno) in
      switch place {
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

  static func close(_ descriptor: FileDescriptor, path: FilePath?) throws(FileError) {
    // Linux has released the number also when this fails, so it is never tried again.
    try call(.close, path) { () throws(Errno) in
      _ = try checked(Glibc.close(descriptor.rawValue))
    }
  }

  /// Closes a file's descriptors: the first error counts, whichever of them has it.
  static func close(
    _ descriptors: ClosingDescriptors, path: FilePath?
  ) throws(FileError) {
    do throws(Errno) {
      try descriptors.close()
    } catch {
      throw FileError(operation: .close, path: path, errno: error)
    }
  }

  /// Runs a call again as long as a signal interrupts it, and says what failed.
  static func call<Value>(
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
