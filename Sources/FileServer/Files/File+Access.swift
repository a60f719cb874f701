import PosixAIO
import Reactor
import SystemPackage

extension File {
  /// Takes over the permissions, the owner and the group of another file, as far as the process may
  /// set them.
  ///
  /// The set-user-ID and set-group-ID bits are not taken: the content is a client's. If the group
  /// cannot be set, it gets no more permissions than others, because it is another group.
  ///
  /// - Parameter handler: Receives a failure if the permissions could not be set. Without one, an
  ///   owner that the system refuses stays as it is.
  func takeAccess(
    of other: FileStatus, _ handler: @escaping (Result<Void, FileError>) -> Void
  ) {
    let permissions = other.permissions.intersection(Self.accessPermissions)
    let (user, group) = (openingStatus.owner, openingStatus.group)
    // First the permissions, while the file surely belongs to this process.
    setPermissions(permissions) { [self] result in
      guard case .success = result else { return handler(result) }
      if user == other.owner, group == other.group { return handler(.success(())) }
      setOwner(user: other.owner, group: other.group) { [self] result in
        if case .success = result { return handler(result) }
        if group == other.group { return handler(.success(())) }
        setOwner(group: other.group) { [self] result in
          if case .success = result { return handler(result) }
          setPermissions(permissions.withGroupLimitedToOthers, handler)
        }
      }
    }
  }

  private static let accessPermissions = FilePermissions(rawValue: 0o777)
}

extension FilePermissions {
  /// The same permissions, where the group has at most those of others.
  fileprivate var withGroupLimitedToOthers: FilePermissions {
    let others = rawValue & 0o007
    return FilePermissions(rawValue: rawValue & (others << 3 | 0o707))
  }
}
