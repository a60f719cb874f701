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
    var entries: [DirectoryEntry] = []
    _ = try unsafe forNextNames(count) { name, status in
      // The name ends with NUL and is used only during the call.
      if let name = unsafe FilePath.Component(platformString: name) {
        entries.append(DirectoryEntry(name: name, status: status))
      }
    }
    return entries
  }

  /// Passes on the next entries, as ``next(_:)`` returns them, without an allocation for each.
  ///
  /// - Parameter body: Receives the name and its metadata.
  /// - Returns: The number of entries.
  package func forNext(
    _ count: Int, _ body: (Span<UInt8>, FileStatus) -> Void
  ) throws(FileError) -> Int {
    try unsafe forNextNames(count) { name, status in
      // The span is used only during the call.
      let bytes = unsafe UnsafeRawBufferPointer(start: name, count: strlen(name))
      body(unsafe Span(_unsafeBytes: bytes), status)
    }
  }

  /// - Parameter body: Receives the name, which ends with NUL and is valid during the call.
  private func forNextNames(
    _ count: Int, _ body: (UnsafePointer<CChar>, FileStatus) -> Void
  ) throws(FileError) -> Int {
    try FileSystemCalls.call(.list, path) { () throws(Errno) in
      var passed = 0
      while passed < count {
        // Only errno distinguishes the end from an error in readdir.
        errno = 0
        guard let entry = unsafe readdir(stream) else {
          guard errno == 0 else { throw .ofLastCall }
          break
        }
        unsafe withUnsafePointer(to: &entry.pointee.d_name) {
          unsafe $0.withMemoryRebound(to: CChar.self, capacity: 1) { name in
            guard let status = unsafe status(of: name) else { return }
            unsafe body(name, status)
            passed += 1
          }
        }
      }
      return passed
    }
  }

  /// - Returns: Nil for `.` and `..`, and for an entry that was removed meanwhile.
  private func status(of name: UnsafePointer<CChar>) -> FileStatus? {
    guard unsafe strcmp(name, ".") != 0, unsafe strcmp(name, "..") != 0 else { return nil }
    var status = stat()
    guard unsafe fstatat(descriptor, name, &status, AT_SYMLINK_NOFOLLOW) == 0 else { return nil }
    return FileStatus(status)
  }
}
