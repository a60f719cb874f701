public import SystemPackage

/// What went wrong with a file, in full: which operation, on which file, where, and how far it got.
public struct FileError: Error, Equatable, Sendable {
  /// What was asked for, by the name of the system call.
  public struct Operation: Equatable, Sendable, CustomStringConvertible {
    /// The operation's name.
    public let description: String

    /// Names an operation that is not in the list below.
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
  }

  /// What failed.
  public let operation: Operation

  /// The file's path as it was opened, if it is known.
  public let path: FilePath?

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
  ///   - offset: In bytes from the file's start, for an operation that has a place.
  ///   - byteCountDone: The bytes that a write had moved.
  ///   - errno: The kernel's reason.
  public init(
    operation: Operation, path: FilePath?, offset: Int64? = nil, byteCountDone: Int = 0,
    errno: Errno
  ) {
    self.operation = operation
    self.path = path
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
    if let offset { text += " at \(offset)" }
    text += ": \(errno)"
    if byteCountDone > 0 { text += " (\(byteCountDone) bytes done)" }
    return text
  }
}
