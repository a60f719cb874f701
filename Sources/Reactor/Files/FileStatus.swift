internal import CLibevent
internal import Glibc
public import SystemPackage

/// A file's metadata. Wraps `struct stat`.
public struct FileStatus: Equatable, Sendable {
  /// What a name stands for.
  public enum Kind: Sendable {
    case regular, directory, symbolicLink, other
  }

  /// A moment, counted from 1970-01-01 in UTC.
  public struct Time: Equatable, Sendable {
    /// Whole seconds, negative before 1970.
    public let seconds: Int64
    /// 0..<1,000,000,000
    public let nanoseconds: Int64
  }

  /// What the file is.
  public let kind: Kind
  /// In bytes.
  public let byteCount: Int64
  /// When the content last changed.
  public let modified: Time
  /// Who may do what.
  public let permissions: FilePermissions
  /// The file's number in its file system.
  public let inode: UInt64

  init(_ status: stat) {
    kind =
      switch status.st_mode & S_IFMT {
      case S_IFREG: .regular
      case S_IFDIR: .directory
      case S_IFLNK: .symbolicLink
      default: .other
      }
    byteCount = Int64(status.st_size)
    modified = Time(
      seconds: Int64(status.st_mtim.tv_sec), nanoseconds: Int64(status.st_mtim.tv_nsec))
    permissions = FilePermissions(rawValue: status.st_mode & 0o7777)
    inode = UInt64(status.st_ino)
  }
}
