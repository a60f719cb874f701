internal import CPosixAIO
internal import Glibc
package import SystemPackage

/// Opens a file below a directory if that does not block, because the kernel has the whole path in
/// memory and the file system is local.
///
/// Wraps `openat2(2)` with `RESOLVE_CACHED`. Opening a pipe without `O_NONBLOCK` still blocks.
///
/// - Parameter flags: Without `O_CREAT` and `O_TRUNC`, for which the result is always nil.
/// - Returns: Nil if the call may block or fails; use ``openBeneath(_:_:flags:permissions:)`` then.
package func openBeneathFromMemory(
  _ directory: FileDescriptor, _ path: FilePath, flags: Int32
) -> FileDescriptor? {
  let descriptor = unsafe path.withPlatformString { path in
    unsafe caio_open_cached(directory.rawValue, path, flags | O_CLOEXEC)
  }
  return descriptor < 0 ? nil : FileDescriptor(rawValue: descriptor)
}

/// Whether names below a directory may be opened with ``openBeneathFromMemory(_:_:flags:)``.
package func opensFromMemory(_ directory: FileDescriptor) -> Bool {
  caio_opens_in_memory(directory.rawValue)
}

/// Opens a regular file for reading if that does not block, because the kernel has the whole path
/// in memory and the file system is local.
///
/// Wraps `openat2(2)` with `RESOLVE_CACHED` and `O_PATH`, and opens the file that was found if it
/// is one that opens without waiting.
///
/// - Parameter path: Absolute, or relative to the process's working directory.
/// - Returns: Nil if the call may block or fails; use
///   ``FileSystemCalls/open(_:flags:permissions:)`` then.
package func openFromMemory(_ path: FilePath) -> FileDescriptor? {
  let descriptor = unsafe path.withPlatformString { unsafe caio_open_file_cached($0) }
  return descriptor < 0 ? nil : FileDescriptor(rawValue: descriptor)
}
