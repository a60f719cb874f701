internal import CPosixAIO
internal import Glibc
package import SystemPackage

/// Opens a file below a folder, and never one outside of it, whatever `..` and symbolic links in the
/// path say.
///
/// Wraps `openat2(2)` with `RESOLVE_BENEATH`. Where a kernel before 5.6 or a container's filter has
/// no openat2, the path is walked one component at a time, and symbolic links are refused with
/// `ELOOP`, also those that stay inside.
///
/// - Throws: `EXDEV` if the path leads outside, and what `open(2)` gives.
package func openBeneath(
  _ folder: FileDescriptor, _ path: FilePath, flags: Int32, permissions: FilePermissions
) throws(Errno) -> FileDescriptor {
  do throws(Errno) {
    let descriptor = unsafe path.withPlatformString { path in
      unsafe caio_open_beneath(folder.rawValue, path, flags | O_CLOEXEC, permissions.rawValue)
    }
    return FileDescriptor(rawValue: try checked(descriptor))
  } catch .noFunction {
    return try walkBeneath(folder, path, flags: flags, permissions: permissions)
  } catch .notPermitted {
    // An old container filter answers EPERM for calls that it does not know.
    return try walkBeneath(folder, path, flags: flags, permissions: permissions)
  }
}

/// What ``openBeneath(_:_:flags:permissions:)`` does without openat2.
func walkBeneath(
  _ folder: FileDescriptor, _ path: FilePath, flags: Int32, permissions: FilePermissions
) throws(Errno) -> FileDescriptor {
  guard !path.isAbsolute else { throw .improperLink }
  var components = Array(path.components)
  guard !components.contains(where: { $0.kind == .parentDirectory }) else { throw .improperLink }
  let last = components.popLast()

  var parent = folder
  defer { if parent != folder { Glibc.close(parent.rawValue) } }
  for component in components {
    let flags = caio_o_path() | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC
    let next = try openAt(parent, component.string, flags: flags, permissions: [])
    if parent != folder { Glibc.close(parent.rawValue) }
    parent = next
  }
  return try openAt(
    parent, last?.string ?? ".", flags: flags | O_NOFOLLOW | O_CLOEXEC, permissions: permissions)
}

private func openAt(
  _ folder: FileDescriptor, _ name: String, flags: Int32, permissions: FilePermissions
) throws(Errno) -> FileDescriptor {
  FileDescriptor(
    rawValue: try checked(unsafe openat(folder.rawValue, name, flags, permissions.rawValue)))
}
