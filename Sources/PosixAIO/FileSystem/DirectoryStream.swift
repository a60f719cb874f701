internal import Glibc
package import SystemPackage

/// Reads a directory's entries a number at a time, in no particular order. Wraps `readdir(3)`.
///
/// Sendable: its owner ensures that only one thread at a time uses it.
@safe
package final class DirectoryStream: @unchecked Sendable {
  private let path: FilePath?
  private let descriptor: Int32
  private let stream: OpaquePointer

  package init(_ directory: FileDescriptor, path: FilePath?) throws(FileError) {
    self.path = path
    (descriptor, unsafe stream) = try unsafe FileSystemCalls.call(.list, path) {
      () throws(Errno) in
      // A descriptor of its own, since fdopendir takes it over and moves its position.
      let descriptor = try checked(
        unsafe openat(directory.rawValue, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC))
      guard let stream = unsafe fdopendir(descriptor) else {
        let reason = Errno.ofLastCall
        Glibc.close(descriptor)
        throw reason
      }
      return unsafe (descriptor, stream)
    }
  }

  deinit {
    unsafe closedir(stream)
  }

  /// Returns the next entries, without `.` and `..`: at most `count`, and fewer only at the end.
  package func next(_ count: Int) throws(FileError) -> [DirectoryEntry] {
    try FileSystemCalls.call(.list, path) { () throws(Errno) in
      var entries: [DirectoryEntry] = []
      while entries.count < count, let name = try nextName() {
        var status = stat()
        guard name.kind == .regular,
          // Skips an entry that was removed meanwhile.
          unsafe name.withPlatformString({
            unsafe fstatat(descriptor, $0, &status, AT_SYMLINK_NOFOLLOW)
          }) == 0
        else { continue }
        entries.append(DirectoryEntry(name: name, status: FileStatus(status)))
      }
      return entries
    }
  }

  private func nextName() throws(Errno) -> FilePath.Component? {
    // Only errno distinguishes the end from an error in readdir.
    errno = 0
    guard let entry = unsafe readdir(stream) else {
      guard errno == 0 else { throw .ofLastCall }
      return nil
    }
    return unsafe withUnsafePointer(to: &entry.pointee.d_name) {
      unsafe $0.withMemoryRebound(to: CChar.self, capacity: 1) {
        unsafe FilePath.Component(platformString: $0)
      }
    }
  }
}
