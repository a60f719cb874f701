#if NIO
  public import NIOCore
  internal import NIOPosix
  public import PosixAIO
  public import SystemPackage

  /// Whole files.
  extension LoopFileNamespace {
    /// Reads a whole file; see
    /// ``LoopFile/readToEnd(fromAbsoluteOffset:maximumSizeAllowed:)->ByteBuffer``.
    ///
    /// - Parameters:
    ///   - path: Of a regular file.
    ///   - maximumSizeAllowed: The most bytes, 0 or more.
    /// - Returns: A future of the bytes; it fails with `EFBIG` if there are more than allowed.
    public func readToEnd(
      ofFileAt path: FilePath, maximumSizeAllowed: Int = LoopFile.defaultSizeLimit
    ) -> EventLoopFuture<ByteBuffer> {
      let call = FileCall(.read, path)
      return scope.future(call) { owner, done in
        owner.steps(call, done) { [self] () throws(FileError) in
          try await readToEnd(ofFileAt: path, maximumSizeAllowed: maximumSizeAllowed)
        }
      }
    }

    /// Reads a whole file; see
    /// ``LoopFile/readToEnd(fromAbsoluteOffset:maximumSizeAllowed:)->ByteBuffer``. A small file
    /// that the page cache has is opened, read and closed without a suspension, if the task runs on
    /// the loop.
    ///
    /// - Parameters:
    ///   - path: Of a regular file.
    ///   - maximumSizeAllowed: The most bytes, 0 or more.
    /// - Returns: The bytes.
    /// - Throws: `EFBIG` if there are more than allowed, and the errors of opening and reading.
    nonisolated(nonsending) public func readToEnd(
      ofFileAt path: FilePath, maximumSizeAllowed: Int = LoopFile.defaultSizeLimit
    ) async throws(FileError) -> ByteBuffer {
      let file = try await openFile(forReadingAt: path)
      let result: Result<ByteBuffer, FileError>
      do throws(FileError) {
        result = .success(try await file.readToEnd(maximumSizeAllowed: maximumSizeAllowed))
      } catch {
        result = .failure(error)
      }
      // Nothing was written, so closing has nothing to tell.
      try? await file.close()
      return try result.get()
    }

    /// Replaces a file atomically and durably. Afterwards the name refers either to the old bytes
    /// or to all new ones, even after a power failure.
    ///
    /// The bytes are written to a temporary file in the same directory, which is synced and
    /// renamed. Then the directory is synced. A symbolic link is replaced itself; its target does
    /// not change. The old file's owner, access control lists and extended attributes are not kept.
    ///
    /// - Parameters:
    ///   - path: The file. It need not exist, but its directory must.
    ///   - buffer: Its readable bytes are the new content.
    ///   - permissions: The permissions of the new file, not reduced by the umask. nil keeps those
    ///     of the old file; if there is none, the new file gets 0666 reduced by the umask.
    /// - Returns: A future that succeeds when the new content is durable. If it fails, the old file
    ///   is unchanged and the temporary file is removed. There is one exception: if only the sync
    ///   of the directory failed (the operation is `sync`, and the path is the directory's), the
    ///   new file is in place, and a power failure may restore the old one.
    public func replace(
      contentsOf path: FilePath, with buffer: ByteBuffer, permissions: FilePermissions? = nil
    ) -> EventLoopFuture<Void> {
      let call = FileCall(.rename, path)
      return scope.future(call) { owner, done in
        owner.steps(call, done) { [self] () throws(FileError) in
          try await scope.replace(path, with: buffer, permissions)
        }
      }
    }

    /// Replaces a file atomically and durably. The form that returns a future says more.
    ///
    /// - Parameters:
    ///   - path: The file. It need not exist, but its directory must.
    ///   - buffer: Its readable bytes are the new content.
    ///   - permissions: The permissions of the new file, not reduced by the umask. nil keeps those
    ///     of the old file; if there is none, the new file gets 0666 reduced by the umask.
    /// - Throws: The error of the first step that failed; `ECANCELED` if the task is cancelled
    ///   before the file is renamed.
    nonisolated(nonsending) public func replace(
      contentsOf path: FilePath, with buffer: ByteBuffer, permissions: FilePermissions? = nil
    ) async throws(FileError) {
      try await scope.replace(path, with: buffer, permissions)
    }
  }

  extension LoopFileScope {
    /// A temporary file, open and empty, and the directory where it will get its name.
    fileprivate struct Preparation: Sendable {
      let directory: DirectoryDescriptor
      let directoryPath: FilePath
      let file: UnpublishedFile
      let name: FilePath
    }

    nonisolated(nonsending) fileprivate func replace(
      _ path: FilePath, with buffer: ByteBuffer, _ permissions: FilePermissions?
    ) async throws(FileError) {
      let (prepared, file, directory) = try await prepare(path, permissions)
      do throws(FileError) {
        try await file.write(contentsOf: buffer, toAbsoluteOffset: 0)
        try await file.synchronize()
        try await outcome(
          FileCall(.rename, path),
          onPool(FileCall(.rename, path)) { () throws(FileError) in
            try prepared.file.publish(as: prepared.name)
          })
      } catch {
        try? await file.close()
        await discard(prepared.file)
        throw FileError(operation: error.operation, path: path, errno: error.errno)
      }
      // The file is in place and synced, so an error of closing it does not matter.
      try? await file.close()
      try await directory.finishSynchronizing()
    }

    nonisolated(nonsending) private func prepare(
      _ path: FilePath, _ permissions: FilePermissions?
    ) async throws(FileError) -> (Preparation, LoopFile, LoopDirectory) {
      let call = FileCall(.open, path)
      return try await outcome(call) { [self] owner, done in
        owner.calls.run(call, on: pool) { () throws(FileError) in
          do throws(FileError) {
            return try prepareNow(path, permissions)
          } catch {
            throw FileError(operation: error.operation, path: path, errno: error.errno)
          }
        } _: { [self] result in
          done(
            result.map { prepared in
              let opened = LoopFile.Opened(prepared.file.opened, isReadOnly: false)
              return (
                prepared, LoopFile(opened, on: owner, pool),
                LoopDirectory(
                  prepared.directory, path: prepared.directoryPath, eventLoop, pool, on: owner)
              )
            })
        }
      }
    }

    /// It may block.
    private func prepareNow(
      _ path: FilePath, _ permissions: FilePermissions?
    ) throws(FileError) -> Preparation {
      guard let last = path.lastComponent, last.kind == .regular else {
        throw FileError(operation: .rename, path: path, errno: .invalidArgument)
      }
      let name = FilePath(root: nil, [last])
      let parent = path.removingLastComponent()
      let directoryPath = parent.isEmpty ? "." : parent
      let directory = try openDirectoryNow(directoryPath)
      let kept =
        if let permissions { permissions } else { try keptPermissions(name, directory.shared) }
      // Others must not open the file before it has its final permissions.
      let file = try UnpublishedFile(
        in: directory.shared, UnpublishedFile.randomPath(), path: path,
        permissions: kept == nil ? LoopFile.defaultPermissions : .ownerReadWrite)
      if let kept {
        try FileSystemCalls.setPermissions(file.opened.descriptor.descriptor, path: path, kept)
      }
      return Preparation(
        directory: directory, directoryPath: directoryPath, file: file, name: name)
    }

    /// - Returns: The permissions of the file to be replaced; nil if there is none.
    private func keptPermissions(
      _ name: FilePath, _ directory: SharedDescriptor
    ) throws(FileError) -> FilePermissions? {
      do throws(FileError) {
        let status = try FileSystemCalls.status(
          of: .beneath(directory.descriptor, name), followingLinks: false)
        return status.kind == .regular ? status.permissions : nil
      } catch {
        guard error.errno == .noSuchFileOrDirectory else { throw error }
        return nil
      }
    }

    /// Removes a temporary name, if there is one.
    nonisolated(nonsending) private func discard(_ file: UnpublishedFile) async {
      guard let name = file.name else { return }
      await unsafe withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in
        pool.submit { _ in
          // The first error is the one to report.
          try? name.remove()
          unsafe continuation.resume()
        }
      }
    }
  }
#endif
