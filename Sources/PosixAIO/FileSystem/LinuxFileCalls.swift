internal import CPosixAIO
internal import Glibc
package import SystemPackage

/// File calls that Swift's Glibc module does not import, since they need `_GNU_SOURCE`. Each may
/// block.
package enum LinuxFileCalls {
  /// `O_TMPFILE`.
  package static let temporaryFileFlag = caio_o_tmpfile()

  /// `O_PATH`: a descriptor that only refers to a path.
  package static let pathFlag = caio_o_path()

  /// Wraps `renameat2(2)` with `RENAME_NOREPLACE`.
  package static func renameExclusively(
    _ directory: FileDescriptor, _ path: FilePath, to newDirectory: FileDescriptor,
    _ newPath: FilePath
  ) throws(Errno) {
    try checked(
      unsafe path.withPlatformString { path in
        unsafe newPath.withPlatformString { newPath in
          unsafe caio_rename_exclusively(
            directory.rawValue, path, newDirectory.rawValue, newPath)
        }
      })
  }

  /// Wraps `fallocate(2)`.
  package static func allocate(
    _ descriptor: FileDescriptor, _ kind: FileAllocation, offset: Int64, byteCount: Int64
  ) throws(Errno) {
    try checked(caio_allocate(descriptor.rawValue, kind.cValue, offset, byteCount))
  }

  /// Wraps `sync_file_range(2)` with `SYNC_FILE_RANGE_WRITE`.
  package static func startWriteBack(
    _ descriptor: FileDescriptor, offset: Int64, byteCount: Int64
  ) throws(Errno) {
    try checked(caio_start_write_back(descriptor.rawValue, offset, byteCount))
  }

  /// Wraps `fcntl(2)` with `F_OFD_SETLK`, or with `F_OFD_SETLKW` to wait.
  ///
  /// - Parameter type: `F_RDLCK`, `F_WRLCK` or `F_UNLCK`.
  package static func lock(
    _ descriptor: FileDescriptor, type: Int32, waits: Bool, offset: Int64, byteCount: Int64
  ) throws(Errno) {
    try checked(caio_lock(descriptor.rawValue, type, waits, offset, byteCount))
  }
}

extension FileAllocation {
  fileprivate var cValue: caio_allocation {
    switch self {
    case .extending: CAIO_ALLOCATE_EXTENDING
    case .keepingSize: CAIO_ALLOCATE_KEEPING_SIZE
    case .hole: CAIO_ALLOCATE_HOLE
    case .zeros: CAIO_ALLOCATE_ZEROS
    }
  }
}
