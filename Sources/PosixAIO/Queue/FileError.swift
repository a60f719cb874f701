public import SystemPackage

/// A failed operation on a file: its kind, the file, the offset, the number of bytes done, and the
/// errno.
public struct FileError: Error, Equatable, Sendable {
  /// The kind of an operation, named after the system call.
  public struct Operation: Equatable, Sendable, CustomStringConvertible {
    /// The operation's name.
    public let description: String

    /// Creates a kind that is not in the list below.
    ///
    /// - Parameter name: The name in messages.
    public init(_ name: String) { description = name }

    /// Opening a file.
    public static let open = Operation("open")
    /// Reading bytes.
    public static let read = Operation("read")
    /// Writing bytes.
    public static let write = Operation("write")
    /// Making data and metadata durable.
    public static let sync = Operation("sync")
    /// Making data durable.
    public static let dataSync = Operation("data sync")
    /// Closing a file.
    public static let close = Operation("close")
    /// Reading metadata.
    public static let status = Operation("stat")
    /// Renaming a file.
    public static let rename = Operation("rename")
    /// Removing a name.
    public static let remove = Operation("remove")
    /// Reading the names in a directory.
    public static let list = Operation("list")
    /// Creating a directory.
    public static let createDirectory = Operation("create directory")
    /// Creating a hard link.
    public static let link = Operation("link")
    /// Creating a symbolic link.
    public static let createSymbolicLink = Operation("create symbolic link")
    /// Reading the target of a symbolic link.
    public static let readSymbolicLink = Operation("read symbolic link")
    /// Changing a file's size.
    public static let truncate = Operation("truncate")
    /// Reserving space for a file, or freeing it.
    public static let allocate = Operation("allocate")
    /// Telling the kernel how a file will be used.
    public static let advise = Operation("advise")
    /// Starting to write data back to the disk.
    public static let startWriteBack = Operation("start write-back")
    /// Taking or releasing a lock.
    public static let lock = Operation("lock")
    /// Changing the permissions of a file.
    public static let setPermissions = Operation("set permissions")
    /// Changing the owner of a file.
    public static let setOwner = Operation("set owner")
    /// Changing the times of a file.
    public static let setTimes = Operation("set times")
  }

  /// The operation that failed.
  public let operation: Operation

  /// The path with which the file was opened, if it is known.
  public let path: FilePath?

  /// The second path of an operation with two: the new name, or the target of a symbolic link.
  public let otherPath: FilePath?

  /// The offset in the file at which the operation began, in bytes, if it has one.
  public let offset: Int64?

  /// The number of bytes that a write wrote before it failed. They are in the file.
  public let byteCountDone: Int

  /// The kernel's error.
  public let errno: Errno

  /// Creates an error.
  ///
  /// - Parameters:
  ///   - operation: The operation that failed.
  ///   - path: The path of the file, if it is known.
  ///   - otherPath: The second path of an operation with two.
  ///   - offset: In bytes from the start of the file, for an operation with an offset.
  ///   - byteCountDone: The number of bytes that a write wrote, 0 or more.
  ///   - errno: The kernel's error.
  public init(
    operation: Operation, path: FilePath?, otherPath: FilePath? = nil, offset: Int64? = nil,
    byteCountDone: Int = 0, errno: Errno
  ) {
    self.operation = operation
    self.path = path
    self.otherPath = otherPath
    self.offset = offset
    self.byteCountDone = byteCountDone
    self.errno = errno
  }
}

extension FileError: CustomStringConvertible {
  /// One line, such as `write "log.txt" at 4096: No space left on device (512 bytes done)`.
  public var description: String {
    var text = operation.description
    if let path { text += " \"\(path)\"" }
    if let otherPath { text += " to \"\(otherPath)\"" }
    if let offset { text += " at \(offset)" }
    text += ": \(errno)"
    if byteCountDone > 0 { text += " (\(byteCountDone) bytes done)" }
    return text
  }
}
