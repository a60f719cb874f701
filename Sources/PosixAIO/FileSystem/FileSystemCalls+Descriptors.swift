internal import Glibc
package import SystemPackage

/// Calls on open files.
extension FileSystemCalls {
  package static func status(
    of descriptor: FileDescriptor, path: FilePath?
  ) throws(FileError) -> FileStatus {
    try call(.status, path) { () throws(Errno) in try status(descriptor) }
  }

  /// Whether a file still has a name. The last close of an unnamed file frees its space, which
  /// takes time.
  package static func hasName(_ descriptor: FileDescriptor) -> Bool {
    guard let status = try? status(descriptor) else { return false }
    return status.linkCount > 0
  }

  package static func status(_ descriptor: FileDescriptor) throws(Errno) -> FileStatus {
    var status = stat()
    try checked(unsafe fstat(descriptor.rawValue, &status))
    return FileStatus(status)
  }

  package static func truncate(
    _ descriptor: FileDescriptor, path: FilePath?, to byteCount: Int64
  ) throws(FileError) {
    try call(.truncate, path, at: byteCount) { () throws(Errno) in
      _ = try checked(ftruncate(descriptor.rawValue, Int(byteCount)))
    }
  }

  package static func allocate(
    _ descriptor: FileDescriptor, path: FilePath?, _ kind: FileAllocation,
    _ range: Range<Int64>
  ) throws(FileError) {
    try call(.allocate, path, at: range.lowerBound) { () throws(Errno) in
      try LinuxFileCalls.allocate(
        descriptor, kind, offset: range.lowerBound, byteCount: range.upperBound - range.lowerBound)
    }
  }

  package static func advise(
    _ descriptor: FileDescriptor, path: FilePath?, _ advice: Int32, offset: Int64,
    byteCount: Int64
  ) throws(FileError) {
    try call(.advise, path, at: offset) { () throws(Errno) in
      // Returns the error instead of setting errno.
      let number = posix_fadvise(
        descriptor.rawValue, Int(offset), Int(byteCount), advice)
      guard number == 0 else { throw Errno(rawValue: number) }
    }
  }

  package static func startWriteBack(
    _ descriptor: FileDescriptor, path: FilePath?, offset: Int64, byteCount: Int64
  ) throws(FileError) {
    try call(.startWriteBack, path, at: offset) { () throws(Errno) in
      try LinuxFileCalls.startWriteBack(descriptor, offset: offset, byteCount: byteCount)
    }
  }

  /// - Parameter type: `F_RDLCK`, `F_WRLCK` or `F_UNLCK`.
  package static func lock(
    _ descriptor: FileDescriptor, path: FilePath?, type: Int32, waits: Bool, offset: Int64,
    byteCount: Int64
  ) throws(FileError) {
    try call(.lock, path, at: offset) { () throws(Errno) in
      try LinuxFileCalls.lock(
        descriptor, type: type, waits: waits, offset: offset, byteCount: byteCount)
    }
  }

  package static func setPermissions(
    _ descriptor: FileDescriptor, path: FilePath?, _ permissions: FilePermissions
  ) throws(FileError) {
    try call(.setPermissions, path) { () throws(Errno) in
      _ = try checked(fchmod(descriptor.rawValue, permissions.rawValue))
    }
  }

  /// - Parameters:
  ///   - user: Nil leaves the user unchanged.
  ///   - group: Nil leaves the group unchanged.
  package static func setOwner(
    _ descriptor: FileDescriptor, path: FilePath?, user: UInt32?, group: UInt32?
  ) throws(FileError) {
    try call(.setOwner, path) { () throws(Errno) in
      // -1 means unchanged.
      _ = try checked(fchown(descriptor.rawValue, user ?? .max, group ?? .max))
    }
  }

  package static func setTimes(
    _ descriptor: FileDescriptor, path: FilePath?, accessed: FileStatus.Time?,
    modified: FileStatus.Time?
  ) throws(FileError) {
    try call(.setTimes, path) { () throws(Errno) in
      let times = [accessed, modified].map { time in
        // UTIME_OMIT, whose macro has a cast that Swift does not import.
        time.map { timespec($0) } ?? timespec(tv_sec: 0, tv_nsec: (1 << 30) - 2)
      }
      _ = try checked(unsafe futimens(descriptor.rawValue, times))
    }
  }
}
