package import Glibc
public import SystemPackage

/// A file's metadata. Wraps `struct stat`.
public struct FileStatus: Equatable, Sendable {
  /// The kind of a file.
  public enum Kind: Sendable {
    /// A regular file.
    case regular
    /// A directory.
    case directory
    /// A symbolic link that was not followed.
    case symbolicLink
    /// A pipe, a socket or a device.
    case other
  }

  /// A time, counted from 1970-01-01 UTC.
  public struct Time: Equatable, Sendable {
    /// Whole seconds, negative before 1970.
    public let seconds: Int64
    /// The nanoseconds within the second, `0..<1_000_000_000`.
    public let nanoseconds: Int64

    /// Creates a time.
    ///
    /// - Parameters:
    ///   - seconds: Whole seconds, negative before 1970.
    ///   - nanoseconds: `0..<1_000_000_000`; other values trap.
    public init(seconds: Int64, nanoseconds: Int64 = 0) {
      require(
        (0..<1_000_000_000).contains(nanoseconds),
        "FileStatus.Time: nanoseconds are less than a second")
      self.seconds = seconds
      self.nanoseconds = nanoseconds
    }
  }

  /// The kind of the file.
  public let kind: Kind
  /// The size in bytes.
  public let byteCount: Int64
  /// The bytes that the file occupies on the disk: fewer than ``byteCount`` if it has holes.
  public let allocatedByteCount: Int64
  /// The time of the last change of the content.
  public let modified: Time
  /// The time of the last read, if the file system records it.
  public let accessed: Time
  /// The time of the last change of the content or the metadata.
  public let changed: Time
  /// The permission bits.
  public let permissions: FilePermissions
  /// The user ID of the owner.
  public let owner: UInt32
  /// The group ID.
  public let group: UInt32
  /// The number of hard links.
  public let linkCount: Int
  /// The inode number.
  public let inode: UInt64
  /// The device number of the file system.
  public let device: UInt64

  // For C.
  private let mode: UInt32
  private let specialDevice: UInt64
  private let blockByteCount: Int

  package init(_ status: stat) {
    kind =
      switch status.st_mode & S_IFMT {
      case S_IFREG: .regular
      case S_IFDIR: .directory
      case S_IFLNK: .symbolicLink
      default: .other
      }
    byteCount = Int64(status.st_size)
    // POSIX does not define the unit. On Linux it is 512 bytes for all file systems.
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
    mode = status.st_mode
    specialDevice = UInt64(status.st_rdev)
    blockByteCount = Int(status.st_blksize)
  }

  /// C's `struct stat`, with all of its members.
  package var systemStatus: stat {
    var status = stat()
    status.st_mode = mode
    status.st_size = Int(byteCount)
    status.st_blocks = Int(allocatedByteCount / 512)
    status.st_blksize = blockByteCount
    status.st_mtim = timespec(modified)
    status.st_atim = timespec(accessed)
    status.st_ctim = timespec(changed)
    status.st_uid = owner
    status.st_gid = group
    status.st_nlink = nlink_t(linkCount)
    status.st_ino = ino_t(inode)
    status.st_dev = dev_t(device)
    status.st_rdev = dev_t(specialDevice)
    return status
  }
}

extension FileStatus.Time {
  fileprivate init(_ time: timespec) {
    self.init(seconds: Int64(time.tv_sec), nanoseconds: Int64(time.tv_nsec))
  }
}

extension timespec {
  package init(_ time: FileStatus.Time) {
    self.init(tv_sec: Int(time.seconds), tv_nsec: Int(time.nanoseconds))
  }
}
