public import SystemPackage

/// An entry of a directory.
public struct DirectoryEntry: Equatable, Sendable {
  /// The name, without its directory.
  public let name: FilePath.Component
  /// The entry's own metadata. A symbolic link is not followed, since it may lead out of the
  /// directory.
  public let status: FileStatus

  package init(name: FilePath.Component, status: FileStatus) {
    self.name = name
    self.status = status
  }
}
