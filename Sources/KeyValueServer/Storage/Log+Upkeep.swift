import Logging
import PosixAIO
import Reactor
import SystemPackage

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
    case .writing, .repairing, .rewriting, .closed: break
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

  /// Starts a rewrite, or has one start when the log is repaired.
  ///
  /// - Throws: If a rewrite is in progress.
  func startRewrite() throws(CommandError) {
    guard rewrite == nil, exclusiveRewriteReason == nil else {
      throw CommandError("ERR Background append only file rewriting already in progress")
    }
    switch state {
    case .repairing(let reason?), .broken(let reason): exclusiveRewriteReason = reason
    default: beginRewrite()
    }
  }

  private func beginRewrite() {
    guard rewrite == nil, writeError == nil else { return }
    launchRewrite()
  }

  /// Rewrites a log of an older format; it is idle.
  func convert() {
    state = .rewriting(reason: "the log is being converted")
    launchRewrite()
  }

  /// Starts the rewrite for which changes are refused, unless one is ending still.
  func rewriteExclusively() {
    guard rewrite == nil else { return }
    exclusiveRewriteReason = nil
    launchRewrite()
  }

  private func launchRewrite() {
    logger.info("rewriting the log of \(end) bytes")
    let rewrite = LogRewrite(of: self)
    self.rewrite = rewrite
    rewrite.start()
  }

  /// Starts no more batches, and calls `whenIdle` when none is in flight.
  func pauseBatches(_ whenIdle: @escaping () -> Void) {
    isPaused = true
    switch state {
    case .idle, .rewriting: whenIdle()
    default: self.whenIdle = whenIdle
    }
  }

  /// Starts batches again.
  func continueBatches() {
    isPaused = false
    resume()
  }

  /// - Parameters:
  ///   - replacement: The file that now has the log's name, its end and its checksums; nil if the
  ///     old log is still in use.
  ///   - error: Why the rewrite failed, or why its rename may not survive a crash; nil on success.
  func rewriteEnded(
    _ replacement: (file: File, end: Int64, chain: LogChain)?, _ error: FileError?
  ) {
    rewrite = nil
    isPaused = false
    whenIdle = nil
    rewriteEnd = end * 2
    if let replacement {
      let old = file
      file = replacement.file
      logger.info("rewrote the log from \(end) to \(replacement.end) bytes")
      end = replacement.end
      follow(replacement.chain)
      changeEnd = end
      syncedEnd = end
      notedEnd = 0
      preallocation.wasReplaced()
      rewriteEnd = 0
      old.close()
      // Either of the two files could be there after a crash.
      if let error { return fail(error) }
    } else if let error {
      noteFailedRewrite(error)
    }
    if case .rewriting = state {
      guard exclusiveRewriteReason == nil else { return rewriteExclusively() }
      state = .idle
    }
    resume()
  }

  private func noteFailedRewrite(_ error: FileError) {
    if case .rewriting = state {
      logger.error("the log cannot be rewritten: \(error)")
    } else if error.errno == .noSpace || error.errno == .diskQuotaExceeded {
      logger.warning("the rewrite starts over, and changes are refused meanwhile: \(error)")
      exclusiveRewriteReason = "\(error.errno)"
    } else {
      logger.error("the log cannot be rewritten: \(error)")
    }
  }
}
