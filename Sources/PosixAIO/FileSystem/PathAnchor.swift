internal import Glibc
package import SystemPackage

/// A path, and the directory that it is relative to.
package enum PathAnchor: Sendable {
  /// Absolute, or relative to the process's working directory.
  case anywhere(FilePath)
  /// Relative to a directory, and confined to it.
  case beneath(FileDescriptor, FilePath)

  package var path: FilePath {
    switch self {
    case .anywhere(let path), .beneath(_, let path): path
    }
  }

  /// Calls `body` with a directory and a path in it, for the kernel's `…at` calls. The last
  /// component is the caller's; the path before it was checked not to lead outside.
  ///
  /// - Throws: `EXDEV` if the path leads outside, `EINVAL` for the directory itself, and the errors
  ///   of `openat2(2)` and of `body`.
  package func withParent<Value>(
    _ body: (FileDescriptor, FilePath) throws(Errno) -> Value
  ) throws(Errno) -> Value {
    switch self {
    case .anywhere(let path):
      return try body(FileDescriptor(rawValue: AT_FDCWD), path)
    case .beneath(let directory, let path):
      guard !path.isAbsolute, path.lastComponent?.kind != .parentDirectory else {
        throw .improperLink
      }
      guard let name = path.lastComponent, name.kind == .regular else { throw .invalidArgument }
      let parentPath = path.removingLastComponent()
      guard !parentPath.isEmpty else { return try body(directory, path) }
      let parent = try openBeneath(
        directory, parentPath, flags: LinuxFileCalls.pathFlag | O_DIRECTORY, permissions: [])
      defer { Glibc.close(parent.rawValue) }
      return try body(parent, FilePath(root: nil, [name]))
    }
  }
}
