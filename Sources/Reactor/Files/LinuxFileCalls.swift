internal import CReactor
internal import Glibc
internal import PosixAIO
internal import SystemPackage

/// File calls that Swift's Glibc module does not import, since they need `_GNU_SOURCE`. Each may
/// block.
enum LinuxFileCalls {
  /// `O_TMPFILE`.
  static let temporaryFileFlag = creactor_o_tmpfile()

  /// `O_PATH`: a descriptor that only refers to a path.
  static let pathFlag = creactor_o_path()

  /// The effect of ``allocate(_:_:offset:byteCount:)`` on a range.
  enum Allocation: Sendable {
    case extending, keepingSize, hole, zeros

    fileprivate var cValue: creactor_allocation {
      switch self {
      case .extending: CREACTOR_ALLOCATE_EXTENDING
      case .keepingSize: CREACTOR_ALLOCATE_KEEPING_SIZE
      case .hole: CREACTOR_ALLOCATE_HOLE
      case .zeros: CREACTOR_ALLOCATE_ZEROS
      }
    }
  }

  /// Wraps `renameat2(2)` with `RENAME_NOREPLACE`.
  static func renameExclusively(
    _ directory: FileDescriptor, _ path: FilePath, to newDirectory: FileDescriptor,
    _ newPath: FilePath
  ) throws(Errno) {
    try checked(
      unsafe path.withPlatformString { path in
        unsafe newPath.withPlatformString { newPath in
          unsafe creactor_rename_exclusively(
            directory.rawValue, path, newDirectory.rawValue, newPath)
        }
      })
  }

  /// Wraps `fallocate(2)`.
  static func allocate(
    _ descriptor: FileDescriptor, _ kind: Allocation, offset: Int64, byteCount: Int64
  ) throws(Errno) {
    try checked(creactor_allocate(descriptor.rawValue, kind.cValue, offset, byteCount))
  }

  /// Wraps `sync_file_range(2)` with `SYNC_FILE_RANGE_WRITE`.
  static func startWriteBack(
    _ descriptor: FileDescriptor, offset: Int64, byteCount: Int64
  ) throws(Errno) {
    try checked(creactor_start_write_back(descriptor.rawValue, offset, byteCount))
  }

  /// Wraps `fcntl(2)` with `F_OFD_SETLK`, or with `F_OFD_SETLKW` to wait.
  ///
  /// - Parameter type: `F_RDLCK`, `F_WRLCK` or `F_UNLCK`.
  static func lock(
    _ descriptor: FileDescriptor, type: Int32, waits: Bool, offset: Int64, byteCount: Int64
  ) throws(Errno) {
    try checked(creactor_lock(descriptor.rawValue, type, waits, offset, byteCount))
  }
}
