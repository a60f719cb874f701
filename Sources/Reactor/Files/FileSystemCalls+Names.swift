internal import CLibevent
internal import Glibc
internal import PosixAIO
internal import SystemPackage

/// Calls on names.
extension FileSystemCalls {
  /// The metadata of what a path stands for, or of a symbolic link itself.
  static func status(
    of place: Place, followingLinks: Bool
  ) throws(FileError) -> FileStatus {
    try call(.status, place.path) { () throws(Errno) in
      switch place {
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

  /// - Returns: Whether something was replaced.
  static func rename(
    _ place: Place, to newPlace: Place, replacing: Bool
  ) throws(FileError) -> Bool {
    try call(.rename, place.path, to: newPlace.path) { () throws(Errno) in
      try place.withParent { (directory, path) throws(Errno) in
        try newPlace.withParent { (newDirectory, newPath) throws(Errno) in
          try rename(directory, path, to: newDirectory, newPath, replacing: replacing)
        }
      }
    }
  }

  private static func rename(
    _ directory: FileDescriptor, _ path: FilePath, to newDirectory: FileDescriptor,
    _ newPath: FilePath, replacing: Bool
  ) throws(Errno) -> Bool {
    // The one way to know for certain whether there was something.
    do throws(Errno) {
      try LinuxFileCalls.renameExclusively(directory, path, to: newDirectory, newPath)
      return false
    } catch {
      guard replacing else { throw error }
      // Some file systems cannot do it (EINVAL), nor could old kernels.
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

  /// Whether a name stands for anything, a link without a goal included.
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

  /// - Parameter isDirectory: Whether the name is one of an empty directory.
  static func remove(_ place: Place, isDirectory: Bool = false) throws(FileError) {
    try call(.remove, place.path) { () throws(Errno) in
      try place.withParent { (directory, path) throws(Errno) in
        _ = try checked(
          unsafe path.withPlatformString {
            unsafe unlinkat(directory.rawValue, $0, isDirectory ? AT_REMOVEDIR : 0)
          })
      }
    }
  }

  static func createDirectory(
    _ place: Place, permissions: FilePermissions
  ) throws(FileError) {
    try call(.createDirectory, place.path) { () throws(Errno) in
      try place.withParent { (directory, path) throws(Errno) in
        _ = try checked(
          unsafe path.withPlatformString {
            unsafe mkdirat(directory.rawValue, $0, permissions.rawValue)
          })
      }
    }
  }

  /// Gives a file a further name; of a symbolic link, the link itself.
  static func link(_ place: Place, to newPlace: Place) throws(FileError) {
    try call(.link, place.path, to: newPlace.path) { () throws(Errno) in
      try place.withParent { (directory, path) throws(Errno) in
        try newPlace.withParent { (newDirectory, newPath) throws(Errno) in
          try link(directory, path, to: newDirectory, newPath, flags: 0)
        }
      }
    }
  }

  /// Gives a file without a name one.
  static func link(
    _ descriptor: FileDescriptor, to name: FilePath, in directory: FileDescriptor
  ) throws(FileError) {
    try call(.link, name) { () throws(Errno) in
      try link(
        FileDescriptor(rawValue: AT_FDCWD), descriptorPath(descriptor), to: directory, name,
        flags: AT_SYMLINK_FOLLOW)
    }
  }

  /// The name that an open descriptor has for its own process.
  static func descriptorPath(_ descriptor: FileDescriptor) -> FilePath {
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

  static func createSymbolicLink(_ place: Place, to goal: FilePath) throws(FileError) {
    try call(.createSymbolicLink, place.path, to: goal) { () throws(Errno) in
      try place.withParent { (directory, path) throws(Errno) in
        _ = try checked(
          unsafe path.withPlatformString { path in
            unsafe goal.withPlatformString { goal in
              unsafe symlinkat(goal, directory.rawValue, path)
            }
          })
      }
    }
  }

  static func readSymbolicLink(_ place: Place) throws(FileError) -> FilePath {
    try call(.readSymbolicLink, place.path) { () throws(Errno) in
      try place.withParent { (directory, path) throws(Errno) in
        // One more than the kernel allows, for the zero at the end.
        var goal = [CChar](repeating: 0, count: Int(PATH_MAX) + 1)
        let count = unsafe path.withPlatformString {
          unsafe readlinkat(directory.rawValue, $0, &goal, Int(PATH_MAX))
        }
        _ = try checked(Int32(count))
        return FilePath(platformString: goal)
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
