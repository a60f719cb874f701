import Logging
import PosixAIO
import Reactor

/// What becomes of the log when it cannot be written.
extension Log {
  /// Why changes are refused at present, as clients are told.
  var refusal: String? {
    switch state {
    case .idle, .writing: nil
    case .repairing(let reason): reason.map(Self.refusal)
    case .broken(let reason): Self.refusal(reason)
    case .closed: Self.refusal("the server is ending")
    }
  }

  private static func refusal(_ reason: String) -> String {
    "MISCONF The log cannot be written: \(reason). Writes are refused, reads go on."
  }

  func fail(_ error: FileError) {
    if !hasReportedFailure { logger.error("the log cannot be written: \(error)") }
    hasReportedFailure = true
    rewrite?.abandon()
    drop(error)
    repair(reason: "\(error.errno)")
  }

  /// Nothing that is in flight or gathering has ever been.
  private func drop(_ error: FileError) {
    database.revert()
    state = .broken(reason: "\(error.errno)")
    onFailed(Self.refusal("\(error.errno)"))
  }

  /// Cuts off what was written of the failed batch, or of a reserve. A file of which a write has
  /// failed is opened anew: the kernel tells that only once, and forgets what it could not write.
  ///
  /// - Parameter reason: Why changes are refused meanwhile; nil if they wait.
  func repair(reason: String?) {
    state = .repairing(reason: reason)
    file.close()
    folder.openLog { [self] result in
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
        folder.directory.sync { [self] result in
          if case .failure(let error) = result { return repairFailed(error) }
          // The note may be what there was no room for.
          notedEnd = end
          changeEnd = end
          syncedEnd = end
          reserve.failed(at: end)
          state = .idle
          goOn()
        }
      }
    }
  }

  /// It is tried again with the next ``tick()``.
  private func repairFailed(_ error: FileError) {
    logger.error("the log cannot be repaired: \(error)")
    drop(error)
  }
}
