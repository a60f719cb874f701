internal import PosixAIO
internal import CLibevent
internal import Glibc
public import SystemPackage

/// A file's metadata. Wraps `struct stat`.
public struct FileStatus: Equatable, Sendable {
  /// What a name stands for.
  public enum Kind: Sendable {
    /// A file with bytes of its own.
    case regular
    /// A directory.
    case directory
    /// A symbolic link that was not followed.
    case symbolicLink
    /// A pipe, a socket or a device.
    case other
  }

  /// A moment, counted from 1970-01-01 in UTC.
  public struct Time: Equatable, Sendable {
    /// Whole seconds, negative before 1970.
    public let seconds: Int64
    /// 0..<1,000,000,000
    public let nanoseconds: Int64

    /// Names a moment.
    ///
    /// - Parameters:
    ///   - seconds: Negative before 1970.
    ///   - nanoseconds: 0..<1,000,000,000
    public init(seconds: Int64, nanoseconds: Int64 = 0) {
      require(
        (0..<1_000_000_000).contains(nanoseconds),
        "FileStatus.Time: nanoseconds are less than a second")
      self.seconds = seconds
      self.nanoseconds = nanoseconds
    }
  }

  /// What the file is.
  public let kind: Kind
  /// In bytes.
  public let byteCount: Int64
  /// The bytes that the file takes on the disk: fewer than ``byteCount`` where it has holes.
  public let allocatedByteCount: Int64
  /// When the content last changed.
  public let modified: Time
  /// When the content was last read, as far as the file system notes that.
  public let accessed: Time
  /// When the content or the metadata last changed.
  public let changed: Time
  /// Who may do what.
  public let permissions: FilePermissions
  /// The number of its user.
  public let owner: UInt32
  /// The number of its group.
  public let group: UInt32
  /// How many names it has.
  public let linkCount: Int
  /// The file's number in its file system.
  public let inode: UInt64
  /// The number of its file system.
  public let device: UInt64

  init(_ status: stat) {
    kind =
      switch status.st_mode & S_IFMT {
      case S_IFREG: .regular
      case S_IFDIR: .directory
      case S_IFLNK: .symbolicLink
      default: .other
      }
    byteCount = Int64(status.st_size)
    // POSIX leaves the unit open; on Linux it is 512 bytes whatever the file system's blocks are.
    allocatedByteCount = Int64(status.st_blocks) * 512
    modified = Time(status.st_mtim)
    accessed = Time(status.st_atim)
    changed = Time(status.st_ctim)
    permissions = FilePermissions(rawValue: status.st_mode & 0o7777)
    owner = status.st_uid
    group = status.st_gid
    linkCount = Int(status.st_nlink)
    inode = UInt64(status.st_ino)
    device = UInt64(status.st_dev)
  }
}

extension FileStatus.Time {
  fileprivate init(_ time: timespec) {
    self.init(seconds: Int64(time.tv_sec), nanoseconds: Int64(time.tv_nsec))
  }
}

extension timespec {
  init(_ time: FileStatus.Time) {
    self.init(tv_sec: Int(time.seconds), tv_nsec: Int(time.nanoseconds))
  }
}
