internal import Glibc
internal import Synchronization
package import SystemPackage

/// A temporary name in a directory. It is removed at the latest with the last reference.
package final class TemporaryName: Sendable {
  private let directory: SharedDescriptor
  private let path: FilePath
  private let isOver = Atomic<Bool>(false)

  /// Takes ownership of an existing name.
  package init(_ path: FilePath, in directory: SharedDescriptor) {
    self.path = path
    self.directory = directory
  }

  /// Gives an unnamed file a name. Wraps `linkat(2)`.
  package convenience init(
    linking descriptor: FileDescriptor, as path: FilePath, in directory: SharedDescriptor
  ) throws(FileError) {
    try FileSystemCalls.link(descriptor, to: path, in: directory.descriptor)
    self.init(path, in: directory)
  }

  deinit {
    // An error cannot be reported.
    try? remove()
  }

  /// Wraps `unlinkat(2)`. Does nothing if called again.
  package func remove() throws(FileError) {
    guard !isOver.exchange(true, ordering: .relaxed) else { return }
    try FileSystemCalls.remove(.beneath(directory.descriptor, path))
  }

  /// - Returns: Whether an existing name was replaced. After a failure the temporary name still
  ///   exists.
  package func rename(to newPath: FilePath, _ replacing: Bool) throws(FileError) -> Bool {
    let replaced = try FileSystemCalls.rename(
      .beneath(directory.descriptor, path), to: .beneath(directory.descriptor, newPath),
      replacing: replacing)
    isOver.store(true, ordering: .relaxed)
    return replaced
  }
}
