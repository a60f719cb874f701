internal import CLibevent
internal import Glibc
internal import PosixAIO
internal import SystemPackage

/// The calls on names and descriptors that block, and therefore run on helper threads. The door
/// between C's errno and `FileError` for them.
enum FileSystemCalls {
  static func open(
    _ path: FilePath, flags: Int32, permissions: FilePermissions
  ) throws(FileError) -> FileDescriptor {
    try call(.open, path) { () throws(Errno) in
      let raw = unsafe path.withPlatformString {
        unsafe Glibc.open($0, flags, permissions.rawValue)
      }
      return FileDescriptor(rawValue: try checked(raw))
    }
  }

  static func openBeneath(
    _ directory: FileDescriptor, _ path: FilePath, flags: Int32, permissions: FilePermissions
  ) throws(FileError) -> FileDescriptor {
    try call(.open, path) { () throws(Errno) in
      try PosixAIO.openBeneath(directory, path, flags: flags, permissions: permissions)
    }
  }

  static func close(_ descriptor: FileDescriptor, path: FilePath?) throws(FileError) {
    // Linux has released the number also when this fails, so it is never tried again.
    try call(.close, path) { () throws(Errno) in
      _ = try checked(Glibc.close(descriptor.rawValue))
    }
  }

  static func status(
    of descriptor: FileDescriptor, path: FilePath
  ) throws(FileError) -> FileStatus {
    try call(.status, path) { () throws(Errno) in
      var status = stat()
      _ = try checked(unsafe fstat(descriptor.rawValue, &status))
      return FileStatus(status)
    }
  }

  /// Whether a name stands for anything, a link without a goal included.
  static func exists(
    _ name: FilePath.Component, in directory: FileDescriptor
  ) throws(FileError) -> Bool {
    try call(.status, FilePath(name.string)) { () throws(Errno) in
      var status = stat()
      do throws(Errno) {
        try checked(
          unsafe name.withPlatformString {
            unsafe fstatat(directory.rawValue, $0, &status, AT_SYMLINK_NOFOLLOW)
          })
        return true
      } catch .noSuchFileOrDirectory {
        return false
      }
    }
  }

  static func rename(
    _ name: FilePath.Component, to newName: FilePath.Component, in directory: FileDescriptor
  ) throws(FileError) {
    try call(.rename, FilePath(name.string)) { () throws(Errno) in
      _ = try checked(
        unsafe name.withPlatformString { name in
          unsafe newName.withPlatformString { newName in
            unsafe renameat(directory.rawValue, name, directory.rawValue, newName)
          }
        })
    }
  }

  static func remove(
    _ name: FilePath.Component, in directory: FileDescriptor
  ) throws(FileError) {
    try call(.remove, FilePath(name.string)) { () throws(Errno) in
      _ = try checked(
        unsafe name.withPlatformString { unsafe unlinkat(directory.rawValue, $0, 0) })
    }
  }

  /// Reads a directory's entries, without `.` and `..`, in no order.
  static func list(_ directory: FileDescriptor, path: FilePath?) throws(FileError) -> [Directory
    .Entry]
  {
    try call(.list, path) { () throws(Errno) in
      // A descriptor of its own, since fdopendir takes it over and moves its position.
      let descriptor = try checked(
        unsafe openat(directory.rawValue, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC))
      guard let stream = unsafe fdopendir(descriptor) else {
        let reason = Errno(rawValue: errno)
        Glibc.close(descriptor)
        throw reason
      }
      defer { unsafe closedir(stream) }
      return try unsafe readEntries(stream, descriptor)
    }
  }

  private static func readEntries(
    _ stream: OpaquePointer, _ descriptor: Int32
  ) throws(Errno) -> [Directory.Entry] {
    var entries: [Directory.Entry] = []
    while true {
      // readdir tells its end from a failure by errno alone.
      errno = 0
      guard let entry = unsafe readdir(stream) else {
        guard errno == 0 else { throw Errno(rawValue: errno) }
        return entries
      }
      let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) {
        unsafe $0.withMemoryRebound(to: CChar.self, capacity: 1) {
          unsafe FilePath.Component(platformString: $0)
        }
      }
      var status = stat()
      guard let name, name.kind == .regular,
        // An entry that went away in between is left out.
        unsafe name.withPlatformString({
          unsafe fstatat(descriptor, $0, &status, AT_SYMLINK_NOFOLLOW)
        }) == 0
      else { continue }
      entries.append(Directory.Entry(name: name, status: FileStatus(status)))
    }
  }

  private static func call<Value>(
    _ operation: FileError.Operation, _ path: FilePath?,
    _ body: () throws(Errno) -> Value
  ) throws(FileError) -> Value {
    while true {
      do throws(Errno) {
        return try body()
      } catch .interrupted where operation != .close {
        continue
      } catch {
        throw FileError(operation: operation, path: path, errno: error)
      }
    }
  }
}
