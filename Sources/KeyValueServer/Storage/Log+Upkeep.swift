import Logging
import PosixAIO
import Reactor

/// Periodic work on the log: syncs, notes, rewriting.
extension Log {
  private static var syncInterval: Duration { .seconds(1) }

  /// Called a few times a second.
  func tick() {
    if configuration.syncPolicy == .everysec, ContinuousClock.now - lastSync >= Self.syncInterval {
      lastSync = .now
      syncInBackground()
    }
    switch state {
    case .idle: noteWhenIdle()
    case .broken(let reason): repair(reason: reason)
    case .writing, .repairing, .closed: break
    }
    rewriteIfDue()
  }

  private func syncInBackground() {
    guard writeError == nil, !isSyncing, syncedEnd < changeEnd else { return }
    isSyncing = true
    let (target, file) = (end, file)
    file.dataSync { [self] result in
      isSyncing = false
      // Another file has replaced this one, and is on the disk.
      guard file === self.file else { return }
      switch (result, state) {
      case (.success, _): syncedEnd = max(syncedEnd, target)
      case (.failure(let error), .idle), (.failure(let error), .writing):
        // Every later sync of this file fails with the same error. The missing data is written
        // again, from memory.
        logger.error("the log cannot be synced: \(error)")
        rewriteEnd = 0
        beginRewrite()
      case (.failure, _): break
      }
    }
  }

  /// Notes that the whole log is on the disk when the server becomes idle.
  private func noteWhenIdle() {
    guard !isPaused, database.pendingRecords.isEmpty else { return }
    let note = takeNote()
    if !note.isEmpty { write(note, []) {} }
  }

  // MARK: - Rewriting

  private func rewriteIfDue() {
    let ratio = Int64(configuration.rewriteRatio)
    guard end >= Int64(configuration.rewriteMinimumByteCount), end >= rewriteEnd,
      end / ratio >= Int64(database.keyspace.byteCount)
    else { return }
    beginRewrite()
  }

  /// - Throws: If a rewrite is in progress, or the log cannot be written.
  func startRewrite() throws(CommandError) {
    if let writeError { throw CommandError(writeError) }
    guard rewrite == nil else {
      throw CommandError("ERR Background append only file rewriting already in progress")
    }
    beginRewrite()
  }

  private func beginRewrite() {
    guard rewrite == nil, writeError == nil else { return }
    logger.info("rewriting the log of \(end) bytes")
    let rewrite = LogRewrite(of: self)
    self.rewrite = rewrite
    rewrite.start()
  }

  /// Starts no more batches, and calls `whenIdle` when none is in flight.
  func pauseBatches(_ whenIdle: @escaping () -> Void) {
    isPaused = true
    if case .idle = state {
      whenIdle()
    } else {
      self.whenIdle = whenIdle
    }
  }

  /// Starts batches again.
  func continueBatches() {
    isPaused = false
    resume()
  }

  /// - Parameters:
  ///   - replacement: The file that now has the log's name, and its end; nil if the old log is
  ///     still in use.
  ///   - error: Why the rewrite failed, or why its rename may not survive a crash; nil on success.
  func rewriteEnded(_ replacement: (file: File, end: Int64)?, _ error: FileError?) {
    rewrite = nil
    isPaused = false
    whenIdle = nil
    rewriteEnd = end * 2
    if let replacement {
      let old = file
      file = replacement.file
      logger.info("rewrote the log from \(end) to \(replacement.end) bytes")
      end = replacement.end
      changeEnd = end
      syncedEnd = end
      notedEnd = 0
      preallocation.wasReplaced()
      rewriteEnd = 0
      old.close()
      // Either of the two files could be there after a crash.
      if let error { return fail(error) }
    } else if let error {
      logger.error("the log cannot be rewritten: \(error)")
    }
    resume()
  }
}
