import Logging
import PosixAIO
import Reactor

/// What is done with the log from time to time.
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
    guard refusal == nil, !isSyncing, syncedEnd < changeEnd else { return }
    isSyncing = true
    let (target, file) = (end, file)
    file.dataSync { [self] result in
      isSyncing = false
      // Another file has taken its place, and is on the disk.
      guard file === self.file else { return }
      switch (result, state) {
      case (.success, _): syncedEnd = max(syncedEnd, target)
      case (.failure(let error), .idle), (.failure(let error), .writing):
        // The file gives every later append's sync the same error; what the disk lacks is written
        // anew, from memory.
        logger.error("the log cannot be synced: \(error)")
        rewriteEnd = 0
        beginRewrite()
      case (.failure, _): break
      }
    }
  }

  /// So that all of a log is known to be on the disk when nothing happens for a while.
  private func noteWhenIdle() {
    guard !isHeld, database.records.isEmpty else { return }
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

  /// - Throws: If the log is being rewritten, or cannot be.
  func startRewrite() throws(CommandError) {
    if let refusal { throw CommandError(refusal) }
    guard rewrite == nil else {
      throw CommandError("ERR Background append only file rewriting already in progress")
    }
    beginRewrite()
  }

  private func beginRewrite() {
    guard rewrite == nil, refusal == nil else { return }
    logger.info("rewriting the log of \(end) bytes")
    let rewrite = LogRewrite(of: self)
    self.rewrite = rewrite
    rewrite.start()
  }

  /// Lets no more batches go, and calls when none is on its way.
  func hold(_ whenIdle: @escaping () -> Void) {
    isHeld = true
    if case .idle = state {
      whenIdle()
    } else {
      self.whenIdle = whenIdle
    }
  }

  /// - Parameters:
  ///   - replacement: What stands under the log's name now; nil if that is still the old log.
  ///   - error: What keeps it from being all right.
  func rewriteEnded(_ replacement: (file: File, end: Int64)?, _ error: FileError?) {
    rewrite = nil
    isHeld = false
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
      reserve.wasReplaced()
      rewriteEnd = 0
      old.close()
      // Nobody knows which of the two would be there after a crash.
      if let error { return fail(error) }
    } else if let error {
      logger.error("the log cannot be rewritten: \(error)")
    }
    goOn()
  }
}
