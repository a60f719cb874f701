internal import Glibc
public import PosixAIO
public import SystemPackage

extension FileWriter {
  /// Waits until all bytes accepted so far are written.
  ///
  /// - Parameters:
  ///   - durably: Whether the bytes must also be on the disk, and not only in the kernel. For the
  ///     name of a new file see ``close(durably:_:)``.
  ///   - handler: Called once. If the writer has failed, gets its error.
  public func flush(
    durably: Bool = false, _ handler: @escaping CompletionQueue.SyncHandler
  ) {
    if let refusal = core.refusal {
      return core.refuse(durably ? .dataSync : .write, currentFile.path, refusal, handler)
    }
    flushes.append(Flush(target: acceptedByteCount, isDurable: durably, handler: handler))
    core.callNextTurn { [self] in callFlushes() }
  }

  /// Writes the accepted bytes and closes the file. Further writes fail with `EBADF`. After the
  /// loop's end it closes the file at once, and calls the handler before it returns. A second call
  /// does nothing and gets the result of the first.
  ///
  /// - Parameters:
  ///   - durably: Whether the file's content must be on the disk first. The name of a new file is
  ///     durable after ``Directory/sync(_:)`` of its directory.
  ///   - handler: Called once, when the file is closed, with the first error if there was one.
  public func close(
    durably: Bool = false, _ handler: @escaping CompletionQueue.SyncHandler = { _ in }
  ) {
    guard !core.hasEnded else { return closeAfterEnd(handler) }
    core.checkThread()
    guard end.begin(handler, on: core) else { return }
    state = firstError.map { .closed($0) } ?? .closing
    flush(durably: durably) { [self] flushed in
      if case .closing = state { state = .closed(nil) }
      currentFile.close { [self] closed in
        if case .failure = flushed { ended(flushed, handler) } else { ended(closed, handler) }
      }
    }
  }

  private func ended(_ result: Result<Void, FileError>, _ handler: CompletionQueue.SyncHandler) {
    let others = end.end(result)
    onFailure = nil
    handler(result)
    for other in others { other(result) }
  }

  /// The loop's end ended every write. Bytes still buffered were accepted too late.
  private func closeAfterEnd(_ handler: CompletionQueue.SyncHandler) {
    let result = core.afterEnd {
      end.outcomeAfterEnd {
        if let firstError { return .failure(firstError) }
        guard waitingByteCount > 0 else { return .success(()) }
        return .failure(FileError(operation: .write, path: currentFile.path, errno: .canceled))
      }
    }
    currentFile.close()
    handler(result)
  }

  /// Continues in another file, for log rotation: opens a new file, usually at the path that the
  /// old one had before it was renamed.
  ///
  /// Bytes accepted before the new file is open go to the old one, which is then synced and closed;
  /// later bytes go to the new one. No byte is lost or written twice. If the new file cannot be
  /// opened, the writer continues with the old one.
  ///
  /// **Durability.** When the handler gets success, every byte of the old file is on the disk. Not
  /// yet durable are the bytes of the new file, before ``flush(durably:_:)`` or
  /// ``close(durably:_:)``, and the name of a new file, before ``Directory/sync(_:)`` of its
  /// directory. If syncing the old file fails, the writer has failed; see ``FileWriter``.
  ///
  /// While the writer is busy with another call of this, a further one waits for it. Those that
  /// wait for the same path, with the same options and permissions, share one file: a rename before
  /// the call is seen, and the file is not opened more often than needed.
  ///
  /// - Parameters:
  ///   - path: The path of the new file.
  ///   - options: How to open it. By default the file is created if missing, and appended to.
  ///   - permissions: The permissions of a created file, less the process's umask.
  ///   - handler: Called once: when the old file is synced and closed, with the first error of
  ///     these; or with the reason that the new file was not used: the error of opening, `EBADF`
  ///     after ``close(durably:_:)``, or the writer's ``failure``.
  public func reopen(
    _ path: FilePath, options: FileDescriptor.OpenOptions = [.create, .append],
    permissions: FilePermissions = File.defaultPermissions,
    _ handler: @escaping CompletionQueue.SyncHandler
  ) {
    if let refusal = core.refusal { return core.refuse(.open, path, refusal, handler) }
    let new = Reopening(
      path: path, options: options, permissions: permissions, handlers: [handler])
    // The first is in progress, and may have opened its file before a rename.
    if let last = reopenings.indices.dropFirst().last, reopenings[last].opensSameFile(as: new) {
      return reopenings[last].handlers.append(handler)
    }
    reopenings.append(new)
    if reopenings.count == 1 { openNextFile() }
  }

  /// A file to continue in.
  struct Reopening {
    let path: FilePath
    let options: FileDescriptor.OpenOptions
    let permissions: FilePermissions
    var handlers: [CompletionQueue.SyncHandler]

    func opensSameFile(as other: Reopening) -> Bool {
      path == other.path && options == other.options && permissions == other.permissions
    }
  }

  private func openNextFile() {
    guard let next = reopenings.first else { return }
    guard isOpen else {
      let error = firstError ?? closedError
      return core.complete { [self] in reopened(.failure(error)) }
    }
    File.open(
      next.path, .writeOnly, options: next.options, permissions: next.permissions, on: core.loop
    ) { [self] result in
      switch (result, state) {
      case (.failure(let error), _): reopened(.failure(error))
      case (.success(let opened), .open):
        sealChunk()
        rotation = .due(Successor(file: opened, target: acceptedByteCount))
        resume()
      case (.success(let opened), .failed(let error)): refuse(opened, error)
      case (.success(let opened), _): refuse(opened, closedError)
      }
    }
  }

  /// Ends the first reopening, and starts the next one.
  private func reopened(_ result: Result<Void, FileError>) {
    let ended = reopenings.removeFirst()
    openNextFile()
    for handler in ended.handlers { handler(result) }
  }

  private func refuse(_ opened: File, _ error: FileError) {
    // Nothing was written to it, so errors of closing do not matter.
    opened.close { [self] _ in reopened(.failure(error)) }
  }

  /// The progress of a switch to another file.
  enum Rotation {
    case none
    /// The old file does not have all of its bytes yet.
    case due(Successor)
    /// The old file is being synced. Durable flushes requested meanwhile wait for that too.
    case syncingOld([Flush])
  }

  struct Successor {
    let file: File
    let target: Int64
  }

  /// Switches to the next file when the old one has all bytes meant for it.
  func switchIfDue() {
    guard case .due(let next) = rotation, writtenByteCount == next.target else { return }
    let old = currentFile
    rotation = .syncingOld([])
    currentFile = next.file
    offset = next.file.openingStatus.byteCount
    old.dataSync { [self] synced in
      if case .failure(let error) = synced { fail(error) }
      old.close { [self] closed in
        if case .failure = synced { reopened(synced) } else { reopened(closed) }
      }
      guard case .syncingOld(let held) = rotation else { return }
      rotation = .none
      for flush in held { syncNow(flush) }
    }
  }

  /// Closes the next file when the writer fails before the switch.
  func dropSuccessor(_ error: FileError) {
    guard case .due(let next) = rotation else { return }
    rotation = .none
    refuse(next.file, error)
  }

  // MARK: - Flushing

  /// Completes the flushes whose bytes are written or never will be.
  func callFlushes() {
    let due =
      firstError == nil ? Array(flushes.prefix { $0.target <= writtenByteCount }) : flushes
    flushes.removeFirst(due.count)
    for flush in due {
      if flush.isDurable {
        syncNow(flush)
      } else if let firstError, writtenByteCount < flush.target {
        flush.handler(.failure(firstError))
      } else {
        flush.handler(.success(()))
      }
    }
  }

  private func syncNow(_ flush: Flush) {
    if let firstError { return flush.handler(.failure(firstError)) }
    if case .syncingOld(let held) = rotation {
      rotation = .syncingOld(held + [flush])
      return
    }
    currentFile.dataSync { [self] result in
      // Later syncs of the file fail too.
      if case .failure(let error) = result { fail(error) }
      flush.handler(result)
    }
  }
}
