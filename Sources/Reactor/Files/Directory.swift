internal import Glibc
public import PosixAIO
public import SystemPackage

/// An open directory, and what is below it.
///
/// Paths given to a directory are relative to it and cannot lead out of it: not by `..`, not by an
/// absolute path, and not by a symbolic link; those fail with `EXDEV`. Calls run on a helper
/// thread, their handlers on the loop.
@safe
public final class Directory {
  /// A name in a directory.
  public struct Entry: Equatable, Sendable {
    /// The name, without its directory.
    public let name: FilePath.Component
    /// Of the name itself: a symbolic link is not followed, since it may lead out of the directory.
    public let status: FileStatus

    init(name: FilePath.Component, status: FileStatus) {
      self.name = name
      self.status = status
    }
  }

  /// The loop on which handlers are called.
  public let loop: EventLoop

  /// The path as the directory was opened.
  public let path: FilePath

  private let descriptor: FileDescriptor
  private let opensFromMemory: Bool
  // Owns the descriptor, and closes it when the directory goes: nobody else does.
  private let file: AIOFile

  private init(_ descriptor: FileDescriptor, path: FilePath, loop: EventLoop) {
    self.descriptor = descriptor
    opensFromMemory = PosixAIO.opensFromMemory(descriptor)
    self.path = path
    self.loop = loop
    file = AIOFile(descriptor, path: path, queue: loop.queue)
  }

  /// Opens a directory. Wraps `open(2)` with `O_DIRECTORY`.
  ///
  /// - Parameters:
  ///   - path: Relative to the process's working directory, or absolute.
  ///   - loop: Whose thread this is.
  ///   - handler: Gets the directory; `ENOTDIR` if the path is something else.
  public static func open(
    _ path: FilePath, on loop: EventLoop,
    _ handler: @escaping (Result<Directory, FileError>) -> Void
  ) {
    loop.offloadCall { () throws(FileError) in
      try FileSystemCalls.open(.anywhere(path), flags: directoryFlags, permissions: [])
    } _: { result in
      handler(result.map { Directory($0, path: path, loop: loop) })
    }
  }

  /// Opens a directory below this one. Wraps `openat2(2)`.
  ///
  /// - Parameters:
  ///   - name: Relative to this directory; `.` is this directory again.
  ///   - handler: Gets the directory; `ENOTDIR` if the path is something else.
  public func openDirectory(
    _ name: FilePath, _ handler: @escaping (Result<Directory, FileError>) -> Void
  ) {
    offload { (directory) throws(FileError) in
      try FileSystemCalls.open(.beneath(directory, name), flags: directoryFlags, permissions: [])
    } _: { [self] result in
      handler(result.map { Directory($0, path: path.appending(name.components), loop: loop) })
    }
  }

  /// Opens a file below this directory. Wraps `openat2(2)`.
  ///
  /// With `.readOnly` and `.nonBlocking` a name that the kernel has in memory is opened at once,
  /// without a helper thread, where the file system is a local one that needs no waiting for that:
  /// ext4, xfs, btrfs, f2fs, tmpfs and overlayfs, on Linux 5.12 and later.
  ///
  /// - Parameters: As ``File/open(_:_:options:permissions:on:_:)``; the path is relative to this
  ///   directory.
  public func openFile(
    _ name: FilePath, _ mode: FileDescriptor.AccessMode,
    options: FileDescriptor.OpenOptions = [], permissions: FilePermissions = .ownerReadWrite,
    _ handler: @escaping (Result<File, FileError>) -> Void
  ) {
    let flags = mode.rawValue | options.rawValue
    if mode == .readOnly, options == .nonBlocking, let opened = openedFromMemory(name, flags) {
      let file = File(opened, loop: loop)
      return loop.later { handler(.success(file)) }
    }
    offload { (directory) throws(FileError) in
      let opened = try FileSystemCalls.open(
        .beneath(directory, name), flags: flags, permissions: permissions)
      return try File.Opened(opened, path: name)
    } _: { [loop] result in
      handler(result.map { File($0, loop: loop) })
    }
  }

  /// What can be had at once; nil leaves it to a helper thread to wait, or to find out what is
  /// wrong.
  private func openedFromMemory(_ name: FilePath, _ flags: Int32) -> File.Opened? {
    loop.checkThread()
    guard opensFromMemory,
      let opened = openBeneathFromMemory(descriptor, name, flags: flags)
    else { return nil }
    do throws(FileError) {
      return try File.Opened(opened, path: name, isInMemory: true)
    } catch {
      return nil
    }
  }

  /// Brings the names in this directory to the disk, which makes a rename durable. Wraps
  /// `aio_fsync(3)`.
  ///
  /// - Parameter handler: Gets the outcome.
  /// - Throws: `EAGAIN` over the queue's waiting limit, `ENOTSUP` in a forked child. Nothing was
  ///   started.
  public func sync(_ handler: @escaping CompletionQueue.SyncHandler) throws(Errno) {
    loop.checkThread()
    try file.sync(handler)
  }

  /// Runs a call on the directory's descriptor on a helper thread, which the directory outlives.
  func offload<Value: Sendable>(
    _ work: @escaping @Sendable (FileDescriptor) throws(FileError) -> Value,
    _ completion: @escaping (Result<Value, FileError>) -> Void
  ) {
    let descriptor = descriptor
    loop.offloadCall { () throws(FileError) in
      try work(descriptor)
    } _: { [self] result in
      withExtendedLifetime(self) { completion(result) }
    }
  }
}

private let directoryFlags = O_RDONLY | O_DIRECTORY | O_CLOEXEC
