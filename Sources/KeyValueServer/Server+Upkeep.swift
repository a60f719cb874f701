import CKeyValue
import Reactor

/// Periodic work on the keyspace, and its limit.
///
/// The work is done in pieces with a turn of the loop between them, so that no client waits for
/// more than a piece.
extension Server {
  /// The limit of the memory of all keys and values.
  struct MemoryLimit {
    enum Policy: String, CaseIterable {
      /// Refuses commands that may need memory.
      case refusing = "noeviction"
      /// Removes random keys.
      case evicting = "allkeys-random"
    }

    /// In bytes; 0 for none.
    var byteCount = 0
    var policy = Policy.refusing
  }

  /// Keys and shards per piece.
  private static let stepLimit = 4000
  /// Keys that are removed per piece, or for one command, to get below the limit of memory.
  private static let evictionLimit = 100

  /// Called a few times a second.
  func tick() {
    database.now = .now()
    database.beginExpiryRound()
    work()
    log.tick()
    checkCongestedClients()
    endIfIdle()
  }

  private func work() {
    statistics.expiredKeyCount += database.removeExpired(stepLimit: Self.stepLimit)
    let freedCount = database.freeDiscarded(stepLimit: Self.stepLimit)
    // The kernel gets the pages back that are free by now. That can take longer than a piece.
    if freedCount > Self.stepLimit { loop.offload({ ckeyvalue_return_pages() }) { _ in } }
    evict()
    scheduleWork()
  }

  private func scheduleWork() {
    let isEvicting = isAboveLimit && memoryLimit.policy == .evicting && log.writeError == nil
    guard database.hasWork || isEvicting && database.keyspace.count > 0, !isWorkScheduled else {
      return
    }
    isWorkScheduled = true
    loop.schedule(after: .zero) { [weak self] in
      guard let self else { return }
      isWorkScheduled = false
      database.now = .now()
      work()
    }
  }

  private var isAboveLimit: Bool {
    memoryLimit.byteCount > 0 && database.keyspace.memoryByteCount > memoryLimit.byteCount
  }

  /// Removes some keys if the limit of memory is exceeded.
  private func evict() {
    guard isAboveLimit, memoryLimit.policy == .evicting, log.writeError == nil, !isBatchFull else {
      return
    }
    for _ in 0..<Self.evictionLimit where isAboveLimit {
      guard database.removeRandomKey() else { break }
      statistics.evictedKeyCount += 1
    }
    log.commit()
  }

  /// Throws if memory is short and no key may be removed.
  func checkRoom() throws(CommandError) {
    guard isAboveLimit else { return }
    guard memoryLimit.policy == .evicting, database.keyspace.count > 0 else {
      throw CommandError("OOM command not allowed when used memory > 'maxmemory'.")
    }
  }

  /// Removes keys before a command that may need memory, if the policy allows it. The command may
  /// run while more are removed.
  ///
  /// - Throws: If no key may be removed.
  func makeRoom() throws(CommandError) {
    try checkRoom()
    guard isAboveLimit else { return }
    evict()
    scheduleWork()
  }
}
