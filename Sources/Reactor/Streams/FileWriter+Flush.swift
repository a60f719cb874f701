internal import Glibc
public import PosixAIO
public import SystemPackage

extension FileWriter {
  /// Waits until everything that was accepted before is written.
  ///
  /// - Parameters:
  ///   - durably: Whether it is to be on the disk, too, and not only with the kernel. For the name
  ///     of a new file see ``close(durably:_:)``.
  ///   - handler: Called once. After an error of the writer it gets that.
  public func flush(
    durably: Bool = false, _ handler: @escaping CompletionQueue.SyncHandler
  ) {
    if let refusal = core.refusal {
      return core.refuse(durably ? .dataSync : .write, currentFile.path, refusal, handler)
    }
    flushes.append(Flush(goal: acceptedByteCount, isDurable: durably, handler: handler))
    core.callNextTurn { [self] in callFlushes() }
  }

  /// Writes what was accepted and closes the file. Nothing is accepted from now on. After the end
  /// of the loop it closes the file at once, and calls the handler before it returns. Closing a
  /// second time does nothing, and gets the outcome of the first.
  ///
  /// - Parameters:
  ///   - durably: Whether everything is to be on the disk before. That is the file's content: the
  ///     name of a file that was just made is durable after ``Directory/sync(_:)`` of its
  ///     directory.
  ///   - handler: Called once, when the file is closed, with the first error that there was.
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
    handler(result)
    for other in others { other(result) }
  }

  /// The loop has ended, and with it every write. What is buffered still was accepted too late.
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

  /// Goes on in another file, as log rotation wants it: opens the file anew, usually at a path that
  /// the old one had before it was renamed.
  ///
  /// What was accepted when the new file is open goes to the old one, which is then synced and
  /// closed; what is accepted later goes to the new one. Nothing is lost and nothing is written
  /// twice. If the new file cannot be opened, the writer goes on with the old one.
  ///
  /// **What is durable.** When the handler gets success, every byte that the old file got is on the
  /// disk. Not durable are the bytes of the new file, before ``flush(durably:_:)`` or
  /// ``close(durably:_:)``, nor its name if it was just made, before ``Directory/sync(_:)`` of its
  /// directory. After a failed sync of the old file the writer has failed, as ``FileWriter`` says.
  ///
  /// - Parameters:
  ///   - path: Of the new file.
  ///   - options: By default it is made if it is not there, and appended to.
  ///   - permissions: Of a file that is made; the process's umask is taken off.
  ///   - handler: Called once: when the old file is synced and closed, with the error of either; or
  ///     with why the new one was not taken, such as `EBUSY` while another one is due.
  public func reopen(
    _ path: FilePath, options: FileDescriptor.OpenOptions = [.create, .append],
    permissions: FilePermissions = File.defaultPermissions,
    _ handler: @escaping CompletionQueue.SyncHandler
  ) {
    File.open(path, .writeOnly, options: options, permissions: permissions, on: core.loop) {
      [self] result in
      switch (result, state) {
      case (.failure(let error), _): handler(.failure(error))
      case (.success(let opened), .open):
        guard case .none = rotation else {
          return refuse(opened, handler, .failure(error(.resourceBusy, path)))
        }
        sealChunk()
        rotation = .due(Successor(file: opened, goal: acceptedByteCount, handler: handler))
        resume()
      case (.success(let opened), .failed(let error)):
        refuse(opened, handler, .failure(error))
      case (.success(let opened), _):
        refuse(opened, handler, .failure(closedError))
      }
    }
  }

  private func refuse(
    _ opened: File, _ handler: @escaping CompletionQueue.SyncHandler,
    _ result: Result<Void, FileError>
  ) {
    // Nothing was written to it, so closing has nothing to tell.
    opened.close { _ in handler(result) }
  }

  private func error(_ errno: Errno, _ path: FilePath) -> FileError {
    FileError(operation: .open, path: path, errno: errno)
  }

  /// The way from one file to the next.
  enum Rotation {
    case none
    /// The old one has not everything yet.
    case due(Successor)
    /// The old one is being synced. Whoever wants what they wrote to be durable waits for that,
    /// too.
    case syncingOld([Flush])
  }

  struct Successor {
    let file: File
    let goal: Int64
    let handler: CompletionQueue.SyncHandler
  }

  /// Goes on with the next file when the old one has everything that was meant for it.
  func switchIfDue() {
    guard case .due(let next) = rotation, writtenByteCount == next.goal else { return }
    let old = currentFile
    rotation = .syncingOld([])
    currentFile = next.file
    offset = next.file.openingStatus.byteCount
    old.dataSync { [self] synced in
      if case .failure(let error) = synced { fail(error) }
      old.close { closed in
        if case .failure = synced { next.handler(synced) } else { next.handler(closed) }
      }
      guard case .syncingOld(let held) = rotation else { return }
      rotation = .none
      for flush in held { syncNow(flush) }
    }
  }

  /// The writer has failed before the next file had its turn.
  func dropSuccessor(_ error: FileError) {
    guard case .due(let next) = rotation else { return }
    rotation = .none
    refuse(next.file, next.handler, .failure(error))
  }

  // MARK: - Flushing

  /// Answers those whose bytes are written, or never will be.
  func callFlushes() {
    let due =
      firstError == nil ? Array(flushes.prefix { $0.goal <= writtenByteCount }) : flushes
    flushes.removeFirst(due.count)
    for flush in due {
      if flush.isDurable {
        syncNow(flush)
      } else if let firstError, writtenByteCount < flush.goal {
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
      // The file's later syncs fail with it, too.
      if case .failure(let error) = result { fail(error) }
      flush.handler(result)
    }
  }
}
