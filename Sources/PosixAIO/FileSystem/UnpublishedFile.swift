internal import Glibc
package import SystemPackage

/// A new file without a name, or with a temporary one, that another thread passes to the loop.
package struct UnpublishedFile: Sendable {
  package let opened: OpenedFile
  /// Hidden, and different for every file.
  package let temporaryPath: FilePath
  /// Nil for an unnamed file.
  package let name: TemporaryName?
  private let directory: SharedDescriptor

  /// A temporary name.
  package static func randomPath() -> FilePath {
    FilePath(".tmp-" + String(UInt64.random(in: .min ... .max), radix: 16))
  }

  /// Creates the file, open for reading and writing. Wraps `open(2)` with `O_TMPFILE`, or with
  /// `O_EXCL` if the file system does not support that.
  ///
  /// - Parameters:
  ///   - temporaryPath: From ``randomPath()``.
  ///   - path: The path with its directory, for messages.
  ///   - isNamed: Whether to use a temporary name even if `O_TMPFILE` is supported.
  package init(
    in directory: SharedDescriptor, _ temporaryPath: FilePath, path: FilePath,
    permissions: FilePermissions, isNamed: Bool = false
  ) throws(FileError) {
    let nameless =
      isNamed
      ? nil
      : try FileSystemCalls.openNameless(directory.descriptor, path, permissions: permissions)
    let descriptor: FileDescriptor
    if let nameless {
      descriptor = nameless
    } else {
      descriptor = try FileSystemCalls.open(
        .beneath(directory.descriptor, temporaryPath), flags: O_RDWR | O_CREAT | O_EXCL,
        permissions: permissions)
    }
    name = nameless == nil ? TemporaryName(temporaryPath, in: directory) : nil
    opened = try OpenedFile(descriptor, path: path)
    self.temporaryPath = temporaryPath
    self.directory = directory
  }

  /// Gives the file its name. Wraps `linkat(2)` and `renameat2(2)`. After an error its temporary
  /// name goes with the last reference to it.
  package func publish(as target: FilePath) throws(FileError) {
    let name =
      if let name { name } else {
        try TemporaryName(
          linking: opened.descriptor.descriptor, as: temporaryPath, in: directory)
      }
    _ = try name.rename(to: target, true)
  }
}

extension FileSystemCalls {
  /// - Parameter path: For messages.
  /// - Returns: Nil if the system does not support unnamed files, or could not give them a name.
  fileprivate static func openNameless(
    _ directory: FileDescriptor, _ path: FilePath, permissions: FilePermissions
  ) throws(FileError) -> FileDescriptor? {
    let flags = O_RDWR | LinuxFileCalls.temporaryFileFlag
    let descriptor: FileDescriptor
    do throws(FileError) {
      descriptor = try open(.beneath(directory, "."), flags: flags, permissions: permissions)
    } catch {
      // EISDIR comes from kernels that do not know the flag.
      guard [.notSupported, .isDirectory].contains(error.errno) else {
        throw FileError(operation: .open, path: path, errno: error.errno)
      }
      return nil
    }
    // Linking the file to a name requires /proc.
    let isInProc = unsafe descriptorPath(descriptor).withPlatformString {
      unsafe access($0, F_OK) == 0
    }
    guard !isInProc else { return descriptor }
    try close(descriptor, path: path)
    return nil
  }
}
