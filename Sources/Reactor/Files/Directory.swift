internal import Glibc
public import PosixAIO
public import SystemPackage

/// An open directory, and the names below it.
///
/// Paths given to a directory are relative to it and cannot lead out of it: neither by `..`, nor by
/// an absolute path, nor by a symbolic link. Such paths fail with `EXDEV`. Calls run on a helper
/// thread, their handlers on the loop.
///
/// A directory does not keep its loop alive. When you drop it, it is closed after its last call
/// ends.
@safe
public final class Directory: @unchecked Sendable {
  /// An entry of a directory.
  public typealias Entry = DirectoryEntry

  package let core: LoopCore

  /// The path that the directory was opened with.
  public let path: FilePath

  /// The loop that calls the handlers.
  public var loop: EventLoop { core.loop }

  // Closed with the last reference: the directory's, the file's, or that of a call on a helper
  // thread.
  private let descriptor: SharedDescriptor
  private let opensFromMemory: Bool
  // For syncs.
  private let file: AIOFile

  private init(_ descriptor: SharedDescriptor, path: FilePath, on core: LoopCore) {
    self.descriptor = descriptor
    opensFromMemory = PosixAIO.opensFromMemory(descriptor.descriptor)
    self.path = path
    self.core = core
    file = AIOFile(descriptor, path: path, queue: core.queue)
  }

  /// Opens a directory. Wraps `open(2)` with `O_DIRECTORY`.
  ///
  /// - Parameters:
  ///   - path: Relative to the process's working directory, or absolute.
  ///   - loop: The loop to use; call on its thread.
  ///   - handler: Receives the directory; `ENOTDIR` if the path is not a directory.
  public static func open(
    _ path: FilePath, on loop: EventLoop,
    _ handler: @escaping (Result<Directory, FileError>) -> Void
  ) {
    let core = loop.core
    core.offloadCall(as: .open, path) { () throws(FileError) in
      SharedDescriptor(
        try FileSystemCalls.open(.anywhere(path), flags: directoryFlags, permissions: []))
    } _: { result in
      handler(result.map { Directory($0, path: path, on: core) })
    }
  }

  /// Opens a directory below this one. Wraps `openat2(2)`.
  ///
  /// - Parameters:
  ///   - name: Relative to this directory; `.` is this directory itself.
  ///   - handler: Receives the directory; `ENOTDIR` if the path is not a directory.
  public func openDirectory(
    _ name: FilePath, _ handler: @escaping (Result<Directory, FileError>) -> Void
  ) {
    offload(as: .open, name) { (directory) throws(FileError) in
      SharedDescriptor(
        try FileSystemCalls.open(
          .beneath(directory, name), flags: directoryFlags, permissions: []))
    } _: { [core, path] result in
      handler(result.map { Directory($0, path: path.appending(name.components), on: core) })
    }
  }

  /// Opens a file below this directory. Wraps `openat2(2)`.
  ///
  /// With `.readOnly`, and `.nonBlocking` or `regularOnly`, a path that the kernel has in memory is
  /// opened at once, without a helper thread. This requires Linux 5.12 and a local file system that
  /// does not block on this: ext4, xfs, btrfs, f2fs, tmpfs or overlayfs.
  ///
  /// - Parameters: As ``File/open(_:_:options:permissions:regularOnly:on:_:)``; the path is
  ///   relative to this directory.
  public func openFile(
    _ name: FilePath, _ mode: FileDescriptor.AccessMode,
    options: FileDescriptor.OpenOptions = [],
    permissions: FilePermissions = File.defaultPermissions, regularOnly: Bool = false,
    _ handler: @escaping (Result<File, FileError>) -> Void
  ) {
    let flags = OpenedFile.flags(mode, options, regularOnly: regularOnly)
    if mode == .readOnly, options == .nonBlocking || options == [] && regularOnly,
      let opened = openedFromMemory(name, flags, regularOnly: regularOnly)
    {
      let file = File(opened, on: core)
      return core.callNextTurn { handler(.success(file)) }
    }
    offload(as: .open, name) { (directory) throws(FileError) in
      let opened = try FileSystemCalls.open(
        .beneath(directory, name), flags: flags, permissions: permissions)
      return try OpenedFile(opened, path: name, regularOnly: regularOnly)
    } _: { [core] result in
      handler(result.map { File($0, on: core) })
    }
  }

  /// Opens a file at once; nil if the call must run on a helper thread, because it may block or to
  /// report its error.
  private func openedFromMemory(
    _ name: FilePath, _ flags: Int32, regularOnly: Bool
  ) -> OpenedFile? {
    guard core.refusal == nil, opensFromMemory, !core.refusesWork,
      let opened = openBeneathFromMemory(descriptor.descriptor, name, flags: flags)
    else { return nil }
    do throws(FileError) {
      return try OpenedFile(opened, path: name, isInMemory: true, regularOnly: regularOnly)
    } catch {
      return nil
    }
  }

  /// Makes the names in this directory durable, for example after a rename. Wraps `aio_fsync(3)`.
  ///
  /// - Parameter handler: Called once with the result. If nothing was started, the error is
  ///   `EAGAIN` over the queue's waiting limit, or `ECANCELED` when the loop is cut off or has
  ///   ended.
  public func sync(_ handler: @escaping CompletionQueue.SyncHandler) {
    _ = core.starting(.sync, path, handler) { () throws(Errno) in try file.sync(handler) }
  }

  /// Runs a call on the directory's descriptor on a helper thread, and keeps the descriptor open
  /// meanwhile.
  ///
  /// - Parameter isCleanUp: Whether the call releases a resource, and is always made.
  func offload<Value: Sendable>(
    as operation: FileError.Operation, _ path: FilePath, isCleanUp: Bool = false,
    _ work: @escaping @Sendable (FileDescriptor) throws(FileError) -> Value,
    _ completion: @escaping (Result<Value, FileError>) -> Void
  ) {
    let descriptor = descriptor
    core.offloadCall(isCleanUp: isCleanUp, as: operation, path) { () throws(FileError) in
      try work(descriptor.descriptor)
    } _: { result in
      completion(result)
    }
  }

  /// For calls on helper threads that outlive the directory.
  package var sharedDescriptor: SharedDescriptor { descriptor }
}

private let directoryFlags = O_RDONLY | O_DIRECTORY | O_CLOEXEC
