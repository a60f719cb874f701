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
  package init(
    _ descriptor: FileDescriptor, path: FilePath, isInMemory: Bool = false
  ) throws(FileError) {
    self.descriptor = SharedDescriptor(descriptor)
    self.path = path
    self.isInMemory = isInMemory
    status = try FileSystemCalls.status(of: descriptor, path: path)
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
