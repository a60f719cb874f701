#if NIO
  internal import Glibc
  internal import NIOCore
  internal import PosixAIO
  internal import SystemPackage
  internal import struct SystemPackage.FileDescriptor

  /// Opening files and directories.
  extension LoopFileScope {
    /// Opens a file for reading without waiting, if the caller is on the loop.
    ///
    /// - Returns: Nil if the call must run on the thread pool, because it may block or to report
    ///   its error.
    func openFromMemory(_ path: FilePath) throws(FileError) -> LoopFile? {
      guard eventLoop.inEventLoop, !Task.isCancelled else { return nil }
      do throws(Errno) {
        return openFromMemory(path, on: try LoopQueue.of(eventLoop))
      } catch {
        throw FileError(operation: .open, path: path, errno: error)
      }
    }

    func openFromMemory(_ path: FilePath, on owner: LoopQueue) -> LoopFile? {
      guard owner.isOpen else { return nil }
      let descriptor: FileDescriptor?
      if let directory {
        descriptor =
          directory.opensFromMemory
          ? openBeneathFromMemory(
            directory.shared.descriptor, path, flags: O_RDONLY | O_NONBLOCK)
          : nil
      } else {
        descriptor = PosixAIO.openFromMemory(path)
      }
      guard let descriptor,
        let file = try? OpenedFile(descriptor, path: path, isInMemory: true),
        // Another file needs the steps of the thread pool.
        file.status.kind == .regular
      else { return nil }
      return LoopFile(LoopFile.Opened(onLoop: file), on: owner, pool)
    }

    /// Opens a file on the thread pool. Call it on the loop.
    func open(
      _ path: FilePath, _ mode: FileDescriptor.AccessMode, _ options: FileDescriptor.OpenOptions,
      _ permissions: FilePermissions, on owner: LoopQueue, _ done: @escaping Completion<LoopFile>
    ) {
      let flags = mode.rawValue | options.rawValue
      owner.calls.run(FileCall(.open, path), on: pool) { [self] () throws(FileError) in
        LoopFile.Opened(
          try OpenedFile(opening: anchor(path), path: path, flags: flags, permissions: permissions),
          isReadOnly: mode == .readOnly)
      } _: { [pool] result in
        done(result.map { LoopFile($0, on: owner, pool) })
      }
    }

    func openOnPool(
      _ path: FilePath, _ mode: FileDescriptor.AccessMode, _ options: FileDescriptor.OpenOptions,
      _ permissions: FilePermissions
    ) -> EventLoopFuture<LoopFile> {
      future(FileCall(.open, path)) { [self] owner, done in
        open(path, mode, options, permissions, on: owner, done)
      }
    }

    nonisolated(nonsending) func openOnPool(
      _ path: FilePath, _ mode: FileDescriptor.AccessMode, _ options: FileDescriptor.OpenOptions,
      _ permissions: FilePermissions
    ) async throws(FileError) -> LoopFile {
      try await outcome(FileCall(.open, path)) { [self] owner, done in
        open(path, mode, options, permissions, on: owner, done)
      }
    }

    func openingDirectory(
      _ path: FilePath
    ) -> @Sendable (LoopQueue, @escaping Completion<LoopDirectory>) -> Void {
      { [self] owner, done in
        owner.calls.run(FileCall(.open, path), on: pool) { () throws(FileError) in
          try openDirectoryNow(path)
        } _: { [self] result in
          done(result.map { LoopDirectory($0, path: path, eventLoop, pool, on: owner) })
        }
      }
    }

    /// Opens a directory. It may block.
    func openDirectoryNow(_ path: FilePath) throws(FileError) -> DirectoryDescriptor {
      let descriptor = try FileSystemCalls.open(
        anchor(path), flags: O_RDONLY | O_DIRECTORY, permissions: [])
      return DirectoryDescriptor(
        shared: SharedDescriptor(descriptor), opensFromMemory: opensFromMemory(descriptor))
    }
  }

  extension LoopFile: ClosableFile {}
#endif
