import PosixAIO

/// How durable the data behind a reply is.
enum Durability: Comparable {
  /// On the disk: a crash does not undo it.
  case committed
  /// In the batch that is being written.
  case inFlight
  /// In the batch that is being collected.
  case pending
}

/// The keyspace in two states: the newest, and the committed one, which a crash would leave.
///
/// A change applies to the newest state immediately and adds a record to the pending batch. The
/// database also keeps the state before the batch until its records are on the disk. At most one
/// batch is in flight.
final class Database {
  /// The state that a command reads.
  enum View {
    case newest
    case committed
  }

  private(set) var keyspace = Keyspace()
  private var inFlightUndo = BatchUndo()
  private var pendingUndo = BatchUndo()
  /// Keys that were removed all at once, to be freed in pieces.
  private var discarded: [Keyspace] = []
  /// The next shard to remove expired keys from, and how many are due.
  private var expiryShard = 0
  private var expiryShardsLeft = 0

  /// The keys of which clients want to know whether they change.
  var watchedKeys = WatchedKeys()
  /// Whether the records belong to one group.
  private var isGrouping = false
  /// The offset in ``pendingRecords`` of the group's last record; nil if it has none.
  private var lastGroupRecord: Int?

  /// The records of the pending batch, without their checksums.
  private(set) var pendingRecords: Bytes = []
  /// The records of the batch in flight, without their checksums.
  private(set) var inFlightRecords: Bytes = []

  /// The current time, set at the start of each round of commands.
  var now = Moment.now()

  /// The lowest durability of the data read or written since this was reset.
  var durability = Durability.committed

  // MARK: - Reading

  /// Returns the value of a key in the given state; nil if it is missing or expired.
  func read(_ key: Key, _ view: View) -> Value? {
    let value: Value?
    switch view {
    case .newest:
      note(durability(of: key))
      value = keyspace[key]
    case .committed:
      value = committedValue(of: key)
    }
    guard let value, value.isExpired(at: now) else { return value }
    if view == .newest || durability(of: key) == .committed { removeExpired(key) }
    return nil
  }

  /// Notes that a command reads all keys in the newest state.
  func noteAll() {
    note(pendingUndo.isEmpty ? inFlightUndo.isEmpty ? .committed : .inFlight : .pending)
  }

  private func committedValue(of key: Key) -> Value? {
    if let before = inFlightUndo.value(of: key) { return before }
    if let before = pendingUndo.value(of: key) { return before }
    return keyspace[key]
  }

  private func durability(of key: Key) -> Durability {
    if pendingUndo.covers(key) { return .pending }
    return inFlightUndo.covers(key) ? .inFlight : .committed
  }

  private func note(_ durability: Durability) {
    self.durability = max(self.durability, durability)
  }

  // MARK: - Changing

  /// - Parameter isContinued: Whether the next change belongs to the same command.
  func set(_ key: Key, _ value: Value, isContinued: Bool = false) {
    let before = keyspace.set(key, value)
    keep(before, of: key)
    record(
      .set, isContinued: isContinued, number: value.expiry.milliseconds, key: key,
      value: value.bytes)
  }

  /// Appends to the value of an existing key that was just read.
  func append(_ bytes: Bytes, to key: Key) {
    keep(keyspace[key], of: key)
    keyspace.append(bytes, to: key)
    record(.append, key: key, value: bytes)
  }

  /// Sets the expiry of an existing key that was just read.
  func setExpiry(_ expiry: Moment, of key: Key) {
    guard var value = keyspace[key] else { return }
    keep(value, of: key)
    value.expiry = expiry
    keyspace.set(key, value)
    record(.expire, number: expiry.milliseconds, key: key)
  }

  /// Removes existing keys that were just read.
  func remove(_ keys: [Key]) {
    for (index, key) in keys.enumerated() {
      keep(keyspace.remove(key), of: key)
      record(.remove, isContinued: index < keys.count - 1, key: key)
    }
  }

  /// Takes the same time for any number of keys, except for those that are watched.
  func removeAll() {
    for key in watchedKeys.keys where keyspace[key] != nil { watchedKeys.noteChange(of: key) }
    var removed = Keyspace()
    swap(&removed, &keyspace)
    discard(pendingUndo.keepAll(removed))
    record(.removeAll)
  }

  /// Groups the changes until ``endGroup()``: after a crash, all of them apply or none.
  func beginGroup() {
    isGrouping = true
  }

  func endGroup() {
    isGrouping = false
    guard let last = lastGroupRecord else { return }
    lastGroupRecord = nil
    LogRecord.endGroup(at: last, in: &pendingRecords)
  }

  private func keep(_ before: Value?, of key: Key) {
    watchedKeys.noteChange(of: key)
    pendingUndo.keep(before, of: key)
  }

  private func record(
    _ kind: LogRecord.Kind, isContinued: Bool = false, number: Int64 = 0, key: Key = Key([]),
    value: Bytes = []
  ) {
    note(.pending)
    if isGrouping { lastGroupRecord = pendingRecords.count }
    LogRecord.write(
      kind, isContinued: isContinued || isGrouping, number: number, key: key.bytes, value: value,
      to: &pendingRecords)
  }

  // MARK: - Batches

  /// Moves the pending batch into flight.
  func beginBatch() {
    require(inFlightUndo.isEmpty, "Database: one batch at a time")
    swap(&inFlightUndo, &pendingUndo)
    swap(&inFlightRecords, &pendingRecords)
    pendingRecords.removeAll(keepingCapacity: pendingRecords.count <= Self.keptByteCount)
  }

  /// Commits the batch in flight: its records are in the log.
  func didCommit() {
    discard(inFlightUndo.clear())
  }

  /// Rolls back to the committed state after a failed log write.
  func revert() {
    revert(&pendingUndo)
    revert(&inFlightUndo)
    pendingRecords = []
  }

  private func revert(_ undo: inout BatchUndo) {
    let values = undo.values
    if var all = undo.clear() {
      swap(&all, &keyspace)
      discard(all)
      for key in watchedKeys.keys { watchedKeys.noteChange(of: key) }
    }
    for (key, value) in values {
      watchedKeys.noteChange(of: key)
      if let value { keyspace.set(key, value) } else { keyspace.remove(key) }
    }
  }

  private func discard(_ keyspace: Keyspace?) {
    guard let keyspace, keyspace.count > Self.smallKeyCount else { return }
    discarded.append(keyspace)
  }

  /// This many keys are freed at once. Otherwise many removals of all keys would pile up memory.
  private static let smallKeyCount = 4000

  /// Batches reuse their memory, except that of an unusually large one.
  private static let keptByteCount = 1024 * 1024

  // MARK: - For the log

  /// Applies a change that is already in the log.
  func replay(_ record: LogRecord) {
    let key = Key(record.key)
    switch record.kind {
    case .set:
      keyspace.set(key, Value(bytes: record.value, expiry: Moment(milliseconds: record.number)))
    case .remove: keyspace.remove(key)
    case .append: keyspace.append(record.value, to: key)
    case .expire:
      guard var value = keyspace[key] else { return }
      value.expiry = Moment(milliseconds: record.number)
      keyspace.set(key, value)
    case .removeAll: keyspace = Keyspace()
    case .synced: break
    }
  }

  /// Whether the pending batch removes all keys.
  var isRemovingAll: Bool { pendingUndo.removedAll != nil }

  /// Writes the committed values of the keys in a shard, as far as they have one.
  func writeCommitted(shard: Int, to log: inout Bytes) {
    for key in keyspace.entries(ofShard: shard).keys { writeCommitted(key, to: &log) }
  }

  /// Writes the committed values of the keys that the pending batch changes. Some of these keys are
  /// no longer in a shard.
  func writeCommittedValuesOfPendingKeys(to log: inout Bytes) {
    for key in pendingUndo.values.keys { writeCommitted(key, to: &log) }
  }

  private func writeCommitted(_ key: Key, to log: inout Bytes) {
    // Includes expired keys: a later record may remove the expiry.
    guard let value = committedValue(of: key) else { return }
    LogRecord.write(
      .set, number: value.expiry.milliseconds, key: key.bytes, value: value.bytes, to: &log)
  }

  // MARK: - Work in pieces

  /// The parts of the shards that are searched for expired keys, one after the other.
  private static let expiryRoundCount = 10

  /// Makes it due to remove the expired keys of the next tenth of the shards.
  func beginExpiryRound() {
    let due = expiryShardsLeft + Keyspace.shardCount / Self.expiryRoundCount
    expiryShardsLeft = keyspace.expiringCount == 0 ? 0 : min(due, Keyspace.shardCount)
  }

  /// Whether expired keys are to be removed, or memory is to be freed.
  var hasWork: Bool { expiryShardsLeft > 0 || !discarded.isEmpty }

  /// Removes expired keys from the shards that are due.
  ///
  /// - Parameter stepLimit: Stops after the shard that completes this number of keys and shards.
  /// - Returns: The number of removed keys.
  func removeExpired(stepLimit: Int) -> Int {
    var (stepCount, removedCount) = (0, 0)
    while expiryShardsLeft > 0, stepCount < stepLimit {
      let (keys, checked) = keyspace.removeExpired(ofShard: expiryShard, at: now)
      for key in keys { watchedKeys.noteChange(of: key) }
      stepCount += 1 + checked
      removedCount += keys.count
      expiryShard = (expiryShard + 1) % Keyspace.shardCount
      expiryShardsLeft -= 1
    }
    return removedCount
  }

  /// Frees the memory of keys that were removed all at once, with the limit of
  /// ``removeExpired(stepLimit:)``.
  ///
  /// - Returns: The number of keys of which the last was freed.
  func freeDiscarded(stepLimit: Int) -> Int {
    guard !discarded.isEmpty, !discarded[0].free(stepLimit: stepLimit) else { return 0 }
    return discarded.removeFirst().count
  }

  private func removeExpired(_ key: Key) {
    keyspace.remove(key)
    watchedKeys.noteChange(of: key)
  }

  /// Removes a random key.
  ///
  /// - Returns: Whether there was one.
  func removeRandomKey() -> Bool {
    guard let key = keyspace.randomKey(where: { _ in true }) else { return false }
    remove([key])
    return true
  }
}
