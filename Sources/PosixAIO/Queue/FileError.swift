public import SystemPackage

/// What went wrong with a file, in full: which operation, on which file, where, and how far it got.
public struct FileError: Error, Equatable, Sendable {
  /// What was asked for, by the name of the system call.
  public struct Operation: Equatable, Sendable, CustomStringConvertible {
    /// The operation's name.
    public let description: String

    /// Names an operation that is not in the list below.
    ///
    /// - Parameter name: As messages are to have it.
    public init(_ name: String) { description = name }

    /// Opening a file.
    public static let open = Operation("open")
    /// Reading bytes.
    public static let read = Operation("read")
    /// Writing bytes.
    public static let write = Operation("write")
    /// Bringing data and metadata to the disk.
    public static let sync = Operation("sync")
    /// Bringing data to the disk.
    public static let dataSync = Operation("data sync")
    /// Closing a file.
    public static let close = Operation("close")
    /// Reading metadata.
    public static let status = Operation("stat")
    /// Giving a file another name.
    public static let rename = Operation("rename")
    /// Removing a name.
    public static let remove = Operation("remove")
    /// Reading the names in a directory.
    public static let list = Operation("list")
    /// Making a directory.
    public static let createDirectory = Operation("create directory")
    /// Giving a file a further name.
    public static let link = Operation("link")
    /// Making a symbolic link.
    public static let createSymbolicLink = Operation("create symbolic link")
    /// Reading where a symbolic link leads.
    public static let readSymbolicLink = Operation("read symbolic link")
    /// Changing a file's size.
    public static let truncate = Operation("truncate")
    /// Reserving space for a file, or giving it back.
    public static let allocate = Operation("allocate")
    /// Telling the kernel how a file will be used.
    public static let advise = Operation("advise")
    /// Starting to bring data to the disk.
    public static let startWriteBack = Operation("start write-back")
    /// Taking or releasing a lock.
    public static let lock = Operation("lock")
    /// Changing who may do what with a file.
    public static let setPermissions = Operation("set permissions")
    /// Changing the times of a file.
    public static let setTimes = Operation("set times")
  }

  /// What failed.
  public let operation: Operation

  /// The file's path as it was opened, if it is known.
  public let path: FilePath?

  /// The other path of an operation with two: the new name, or where a symbolic link leads.
  public let otherPath: FilePath?

  /// Where in the file the operation began, in bytes, if it has a place.
  public let offset: Int64?

  /// How many bytes a write had moved before it failed. They are in the file.
  public let byteCountDone: Int

  /// The kernel's reason.
  public let errno: Errno

  /// Describes a failure.
  ///
  /// - Parameters:
  ///   - operation: What failed.
  ///   - path: The file's path, if it is known.
  ///   - otherPath: The other path of an operation with two.
  ///   - offset: In bytes from the file's start, for an operation that has a place.
  ///   - byteCountDone: The bytes that a write had moved.
  ///   - errno: The kernel's reason.
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
