internal import CReactor
internal import Glibc
internal import PosixAIO
package import SystemPackage

/// Opens a file below a directory, and never one outside of it, whatever `..` and symbolic links in
/// the path say.
///
/// Wraps `openat2(2)` with `RESOLVE_BENEATH`. Where a kernel before 5.6 or a container's filter has
/// no openat2, the path is walked one component at a time, and symbolic links are refused with
/// `ELOOP`, also those that stay inside.
///
/// While others rename and mount, openat2 says `EAGAIN` for a path with `..`, of which it cannot
/// tell then where it leads. It is asked again, ``openRetryLimit`` times.
///
/// - Throws: `EXDEV` if the path leads outside, `EAGAIN` if it could not be walked for renames, and
///   what `open(2)` gives.
package func openBeneath(
  _ directory: FileDescriptor, _ path: FilePath, flags: Int32, permissions: FilePermissions
) throws(Errno) -> FileDescriptor {
  do throws(Errno) {
    return try retryingAfterRenames { () throws(Errno) in
      let descriptor = unsafe path.withPlatformString { path in
        unsafe creactor_open_beneath(
          directory.rawValue, path, flags | O_CLOEXEC, permissions.rawValue)
      }
      return FileDescriptor(rawValue: try checked(descriptor))
    }
  } catch .noFunction {
    return try walkBeneath(directory, path, flags: flags, permissions: permissions)
  } catch .notPermitted {
    // An old container filter answers EPERM for calls that it does not know.
    return try walkBeneath(directory, path, flags: flags, permissions: permissions)
  }
}

/// How often a path is walked anew before its `EAGAIN` is reported. A walk takes microseconds, and
/// fails only if a rename falls into it.
let openRetryLimit = 128

/// Makes a call of `openat2(2)`, and again each time that it says `EAGAIN`, up to the limit.
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

/// Opens a file below a directory if that needs no waiting, because the kernel has the whole path
/// in memory and the file system is a local one.
///
/// Wraps `openat2(2)` with `RESOLVE_CACHED`. A pipe without `O_NONBLOCK` waits all the same.
///
/// - Parameter flags: Without `O_CREAT` and `O_TRUNC`, for which it is always nil.
/// - Returns: Nil if it may have to wait, or fails: ``openBeneath(_:_:flags:permissions:)`` then
///   has the last word.
package func openBeneathFromMemory(
  _ directory: FileDescriptor, _ path: FilePath, flags: Int32
) -> FileDescriptor? {
  let descriptor = unsafe path.withPlatformString { path in
    unsafe creactor_open_cached(directory.rawValue, path, flags | O_CLOEXEC)
  }
  return descriptor < 0 ? nil : FileDescriptor(rawValue: descriptor)
}

/// Whether names below a directory may be opened with ``openBeneathFromMemory(_:_:flags:)``.
package func opensFromMemory(_ directory: FileDescriptor) -> Bool {
  creactor_opens_in_memory(directory.rawValue)
}

/// What ``openBeneath(_:_:flags:permissions:)`` does without openat2.
func walkBeneath(
  _ directory: FileDescriptor, _ path: FilePath, flags: Int32, permissions: FilePermissions
) throws(Errno) -> FileDescriptor {
  guard !path.isAbsolute else { throw .improperLink }
  var components = Array(path.components)
  guard !components.contains(where: { $0.kind == .parentDirectory }) else { throw .improperLink }
  let last = components.popLast()

  var parent = directory
  defer { if parent != directory { Glibc.close(parent.rawValue) } }
  for component in components {
    let flags = creactor_o_path() | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC
    let next = try openAt(parent, component, flags: flags, permissions: [])
    if parent != directory { Glibc.close(parent.rawValue) }
    parent = next
  }
  return try openAt(
    parent, last, flags: flags | O_NOFOLLOW | O_CLOEXEC, permissions: permissions)
}

/// - Parameter name: Nil is the directory itself.
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
