import Logging
import PosixAIO
import Reactor

/// Failed writes of the log, and its repair.
extension Log {
  /// The error that writes get now, in the words that clients see; nil if writes are accepted.
  var writeError: String? {
    switch state {
    case .idle, .writing: nil
    case .repairing(let reason): reason.map(Self.writeError)
    case .broken(let reason), .rewriting(let reason): Self.writeError(reason)
    case .closed: Self.writeError("the server is ending")
    }
  }

  private static func writeError(_ reason: String) -> String {
    "MISCONF The log cannot be written: \(reason). Writes are refused; reads continue."
  }

  func fail(_ error: FileError) {
    if !hasReportedFailure { logger.error("the log cannot be written: \(error)") }
    hasReportedFailure = true
    let reason = "\(error.errno)"
    drop(reason: reason)
    repair(reason: reason)
  }

  /// Rolls back the batches that are in flight and pending.
  ///
  /// A rewrite in progress starts over. It may have passed keys that come back now. The next
  /// failure would come soon, so changes are refused meanwhile.
  func drop(reason: String) {
    if let rewrite {
      exclusiveRewriteReason = reason
      rewrite.abandon()
    }
    database.revert()
    state = .broken(reason: reason)
    onFailure(Self.writeError(reason))
  }

  /// Removes the written part of the failed batch, or of a preallocation. A file with a failed
  /// write is opened again: the kernel reports the failure only once and drops the data it could
  /// not write.
  ///
  /// - Parameter reason: The reason that refused clients see meanwhile; nil if changes wait
  ///   instead.
  func repair(reason: String?) {
    state = .repairing(reason: reason)
    file.close()
    dataDirectory.openLog { [self] result in
      switch result {
      case .failure(let error): repairFailed(error)
      case .success(let file): repair(file)
      }
    }
  }

  private func repair(_ file: File) {
    self.file = file
    file.truncate(to: end) { [self] result in
      if case .failure(let error) = result { return repairFailed(error) }
      file.dataSync { [self] result in
        if case .failure(let error) = result { return repairFailed(error) }
        dataDirectory.directory.sync { [self] result in
          if case .failure(let error) = result { return repairFailed(error) }
          // The note may be the part that did not fit.
          notedEnd = end
          changeEnd = end
          syncedEnd = end
          preallocation.failed(at: end)
          if let reason = exclusiveRewriteReason {
            state = .rewriting(reason: reason)
            rewriteExclusively()
          } else {
            state = .idle
            resume()
          }
        }
      }
    }
  }

  /// The next ``tick()`` tries again.
  private func repairFailed(_ error: FileError) {
    logger.error("the log cannot be repaired: \(error)")
    drop(reason: "\(error.errno)")
  }
}
