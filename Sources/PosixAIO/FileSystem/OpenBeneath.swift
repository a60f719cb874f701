internal import CPosixAIO
internal import Glibc
package import SystemPackage

/// Opens a file below a directory, and never one outside of it, whatever `..` and symbolic links
/// the path contains.
///
/// Wraps `openat2(2)` with `RESOLVE_BENEATH`. If openat2 is missing, in a kernel before 5.6 or
/// because of a container's filter, the path is opened one component at a time, and all symbolic
/// links are refused with `ELOOP`.
///
/// During concurrent renames and mounts, openat2 fails with `EAGAIN` for a path with `..`, because
/// it cannot prove where the path leads. The call is repeated up to ``openRetryLimit`` times.
///
/// - Throws: `EXDEV` if the path leads outside, `EAGAIN` if renames prevented every attempt, and
///   the errors of `open(2)`.
package func openBeneath(
  _ directory: FileDescriptor, _ path: FilePath, flags: Int32, permissions: FilePermissions
) throws(Errno) -> FileDescriptor {
  do throws(Errno) {
    return try retryingAfterRenames { () throws(Errno) in
      let descriptor = unsafe path.withPlatformString { path in
        unsafe caio_open_beneath(
          directory.rawValue, path, flags | O_CLOEXEC, permissions.rawValue)
      }
      return FileDescriptor(rawValue: try checked(descriptor))
    }
  } catch .noFunction {
    return try walkBeneath(directory, path, flags: flags, permissions: permissions)
  } catch .notPermitted {
    // Old container filters fail with EPERM for unknown calls.
    return try walkBeneath(directory, path, flags: flags, permissions: permissions)
  }
}

/// How often a call is repeated before its `EAGAIN` is reported. An attempt takes microseconds, and
/// fails only if a rename happens during it.
let openRetryLimit = 128

/// Makes a call of `openat2(2)`, and repeats it after `EAGAIN`, up to the limit.
func retryingAfterRenames(
  _ open: () throws(Errno) -> FileDescriptor
) throws(Errno) -> FileDescriptor {
  for _ in 0..<openRetryLimit {
    do throws(Errno) {
      return try open()
    } catch .resourceTemporarilyUnavailable {
      continue
    }
  }
  return try open()
}

/// The fallback of ``openBeneath(_:_:flags:permissions:)`` without openat2.
package func walkBeneath(
  _ directory: FileDescriptor, _ path: FilePath, flags: Int32, permissions: FilePermissions
) throws(Errno) -> FileDescriptor {
  guard !path.isAbsolute else { throw .improperLink }
  var components = Array(path.components)
  guard !components.contains(where: { $0.kind == .parentDirectory }) else { throw .improperLink }
  let last = components.popLast()

  var parent = directory
  defer { if parent != directory { Glibc.close(parent.rawValue) } }
  for component in components {
    let flags = caio_o_path() | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC
    let next = try openAt(parent, component, flags: flags, permissions: [])
    if parent != directory { Glibc.close(parent.rawValue) }
    parent = next
  }
  return try openAt(
    parent, last, flags: flags | O_NOFOLLOW | O_CLOEXEC, permissions: permissions)
}

/// - Parameter name: Nil for the directory itself.
private func openAt(
  _ directory: FileDescriptor, _ name: FilePath.Component?, flags: Int32,
  permissions: FilePermissions
) throws(Errno) -> FileDescriptor {
  // A name is bytes and need not be UTF-8, so it does not go through String.
  let path = FilePath(root: nil, name.map { [$0] } ?? ["."])
  let raw = unsafe path.withPlatformString { name in
    unsafe openat(directory.rawValue, name, flags, permissions.rawValue)
  }
  return FileDescriptor(rawValue: try checked(raw))
}
