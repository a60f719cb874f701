internal import Glibc
package import SystemPackage

/// Calls on names.
extension FileSystemCalls {
  /// The metadata of a path's target, or of a symbolic link itself.
  package static func status(
    of anchor: PathAnchor, followingLinks: Bool
  ) throws(FileError) -> FileStatus {
    try call(.status, anchor.path) { () throws(Errno) in
      switch anchor {
      case .anywhere(let path):
        return try status(
          FileDescriptor(rawValue: AT_FDCWD), path, followingLinks: followingLinks)
      case .beneath(let directory, let path):
        let flags = LinuxFileCalls.pathFlag | (followingLinks ? 0 : O_NOFOLLOW)
        let opened = try openBeneath(directory, path, flags: flags, permissions: [])
        defer { Glibc.close(opened.rawValue) }
        let status = try status(opened)
        // Without openat2 no link is followed.
        if followingLinks, status.kind == .symbolicLink { throw .tooManySymbolicLinkLevels }
        return status
      }
    }
  }

  /// - Returns: Whether an existing name was replaced.
  package static func rename(
    _ anchor: PathAnchor, to newAnchor: PathAnchor, replacing: Bool
  ) throws(FileError) -> Bool {
    try call(.rename, anchor.path, to: newAnchor.path) { () throws(Errno) in
      try anchor.withParent { (directory, path) throws(Errno) in
        try newAnchor.withParent { (newDirectory, newPath) throws(Errno) in
          try rename(directory, path, to: newDirectory, newPath, replacing: replacing)
        }
      }
    }
  }

  private static func rename(
    _ directory: FileDescriptor, _ path: FilePath, to newDirectory: FileDescriptor,
    _ newPath: FilePath, replacing: Bool
  ) throws(Errno) -> Bool {
    // The only reliable way to find out whether the name existed.
    do throws(Errno) {
      try LinuxFileCalls.renameExclusively(directory, path, to: newDirectory, newPath)
      return false
    } catch {
      guard replacing else { throw error }
      // Some file systems do not support it (EINVAL), nor do old kernels.
      guard [.fileExists, .invalidArgument, .noFunction].contains(error) else { throw error }
      let replaces = error == .fileExists ? true : try exists(newDirectory, newPath)
      try checked(
        unsafe path.withPlatformString { path in
          unsafe newPath.withPlatformString { newPath in
            unsafe renameat(directory.rawValue, path, newDirectory.rawValue, newPath)
          }
        })
      return replaces
    }
  }

  /// Whether a name exists, including a symbolic link without a target.
  private static func exists(
    _ directory: FileDescriptor, _ path: FilePath
  ) throws(Errno) -> Bool {
    do throws(Errno) {
      _ = try status(directory, path, followingLinks: false)
      return true
    } catch .noSuchFileOrDirectory {
      return false
    }
  }

  /// - Parameter isDirectory: Whether to remove an empty directory.
  package static func remove(_ anchor: PathAnchor, isDirectory: Bool = false) throws(FileError) {
    try call(.remove, anchor.path) { () throws(Errno) in
      try anchor.withParent { (directory, path) throws(Errno) in
        _ = try checked(
          unsafe path.withPlatformString {
            unsafe unlinkat(directory.rawValue, $0, isDirectory ? AT_REMOVEDIR : 0)
          })
      }
    }
  }

  package static func createDirectory(
    _ anchor: PathAnchor, permissions: FilePermissions
  ) throws(FileError) {
    try call(.createDirectory, anchor.path) { () throws(Errno) in
      try anchor.withParent { (directory, path) throws(Errno) in
        _ = try checked(
          unsafe path.withPlatformString {
            unsafe mkdirat(directory.rawValue, $0, permissions.rawValue)
          })
      }
    }
  }

  /// Creates a hard link, of a symbolic link to the link itself.
  package static func link(_ anchor: PathAnchor, to newAnchor: PathAnchor) throws(FileError) {
    try call(.link, anchor.path, to: newAnchor.path) { () throws(Errno) in
      try anchor.withParent { (directory, path) throws(Errno) in
        try newAnchor.withParent { (newDirectory, newPath) throws(Errno) in
          try link(directory, path, to: newDirectory, newPath, flags: 0)
        }
      }
    }
  }

  /// Gives an unnamed file a name.
  package static func link(
    _ descriptor: FileDescriptor, to name: FilePath, in directory: FileDescriptor
  ) throws(FileError) {
    try call(.link, name) { () throws(Errno) in
      try link(
        FileDescriptor(rawValue: AT_FDCWD), descriptorPath(descriptor), to: directory, name,
        flags: AT_SYMLINK_FOLLOW)
    }
  }

  /// The path of an open descriptor in its own process.
  package static func descriptorPath(_ descriptor: FileDescriptor) -> FilePath {
    FilePath("/proc/self/fd/\(descriptor.rawValue)")
  }

  private static func link(
    _ directory: FileDescriptor, _ path: FilePath, to newDirectory: FileDescriptor,
    _ newPath: FilePath, flags: Int32
  ) throws(Errno) {
    try checked(
      unsafe path.withPlatformString { path in
        unsafe newPath.withPlatformString { newPath in
          unsafe linkat(directory.rawValue, path, newDirectory.rawValue, newPath, flags)
        }
      })
  }

  package static func createSymbolicLink(
    _ anchor: PathAnchor, to target: FilePath
  ) throws(FileError) {
    try call(.createSymbolicLink, anchor.path, to: target) { () throws(Errno) in
      try anchor.withParent { (directory, path) throws(Errno) in
        _ = try checked(
          unsafe path.withPlatformString { path in
            unsafe target.withPlatformString { target in
              unsafe symlinkat(target, directory.rawValue, path)
            }
          })
      }
    }
  }

  package static func readSymbolicLink(_ anchor: PathAnchor) throws(FileError) -> FilePath {
    try call(.readSymbolicLink, anchor.path) { () throws(Errno) in
      try anchor.withParent { (directory, path) throws(Errno) in
        // One more than the kernel's limit, for the terminating zero.
        var target = [CChar](repeating: 0, count: Int(PATH_MAX) + 1)
        let count = unsafe path.withPlatformString {
          unsafe readlinkat(directory.rawValue, $0, &target, Int(PATH_MAX))
        }
        _ = try checked(Int32(count))
        return FilePath(platformString: target)
      }
    }
  }

  private static func status(
    _ directory: FileDescriptor, _ path: FilePath, followingLinks: Bool
  ) throws(Errno) -> FileStatus {
    var status = stat()
    try checked(
      unsafe path.withPlatformString {
        unsafe fstatat(
          directory.rawValue, $0, &status, followingLinks ? 0 : AT_SYMLINK_NOFOLLOW)
      })
    return FileStatus(status)
  }
}
