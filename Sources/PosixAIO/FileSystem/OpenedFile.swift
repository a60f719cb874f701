internal import Glibc
package import SystemPackage

/// A file that another thread has opened and passes to the loop. It is closed if it does not
/// arrive.
package struct OpenedFile: Sendable {
  package let descriptor: SharedDescriptor
  package let path: FilePath
  package let status: FileStatus
  /// Whether it is a local file, opened read-only without a thread that may block.
  package let isInMemory: Bool

  /// Queries the descriptor's metadata; on failure closes the descriptor.
  ///
  /// - Parameter regularOnly: Whether other files fail, with `EISDIR` or `EINVAL`.
  package init(
    _ descriptor: FileDescriptor, path: FilePath, isInMemory: Bool = false,
    regularOnly: Bool = false
  ) throws(FileError) {
    self.descriptor = SharedDescriptor(descriptor)
    self.path = path
    self.isInMemory = isInMemory
    status = try FileSystemCalls.status(of: descriptor, path: path)
    guard regularOnly, status.kind != .regular else { return }
    let errno = status.kind == .directory ? Errno.isDirectory : .invalidArgument
    throw FileError(operation: .open, path: path, errno: errno)
  }

  /// The flags of `open(2)`. Those for a regular file keep it from waiting for the other side of a
  /// pipe, and from making a terminal the process's own.
  package static func flags(
    _ mode: FileDescriptor.AccessMode, _ options: FileDescriptor.OpenOptions, regularOnly: Bool
  ) -> Int32 {
    mode.rawValue | options.rawValue | (regularOnly ? O_NONBLOCK | O_NOCTTY : 0)
  }

  /// Opens a file with `O_NONBLOCK`, so that a named pipe does not wait for its other end. Later
  /// operations of a pipe or a device wait again, unless `flags` contain `O_NONBLOCK`.
  ///
  /// - Parameter path: For messages.
  package init(
    opening anchor: PathAnchor, path: FilePath, flags: Int32, permissions: FilePermissions
  ) throws(FileError) {
    try self.init(
      FileSystemCalls.open(anchor, flags: flags | O_NONBLOCK, permissions: permissions),
      path: path)
    guard status.kind != .regular, flags & O_NONBLOCK == 0 else { return }
    let descriptor = descriptor.rawValue
    try FileSystemCalls.call(.open, path) { () throws(Errno) in
      let present = try checked(fcntl(descriptor, F_GETFL))
      _ = try checked(fcntl(descriptor, F_SETFL, present & ~O_NONBLOCK))
    }
  }
}
