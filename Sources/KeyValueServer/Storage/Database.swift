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
/// database also keeps the previous values of changed keys: they form the committed state until the
/// records are on the disk, and are restored if the records cannot be written. At most one batch is
/// in flight.
final class Database {
  /// The state that a command reads.
  enum View {
    case newest
    case committed
  }

  private(set) var keyspace = Keyspace()
  private var beforeInFlight: [Key: Value?] = [:]
  private var beforePending: [Key: Value?] = [:]
  private var expiryPlace = 0

  /// The keys of which clients want to know whether they change.
  var watchedKeys = WatchedKeys()
  /// Whether the records belong to one group.
  private var isGrouping = false
  /// The offset in ``pendingRecords`` of the group's last record; nil if it has none.
  private var lastGroupRecord: Int?

  let salt: UInt32

  /// The pending batch, in the format of the log.
  private(set) var pendingRecords: Bytes = []
  /// The batch in flight, in the format of the log.
  private(set) var inFlightRecords: Bytes = []

  /// The current time, set at the start of each round of commands.
  var now = Moment.now()

  /// The lowest durability of the data read or written since this was reset.
  var durability = Durability.committed

  init(salt: UInt32) {
    self.salt = salt
  }

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
    note(beforePending.isEmpty ? beforeInFlight.isEmpty ? .committed : .inFlight : .pending)
  }

  private func committedValue(of key: Key) -> Value? {
    if let before = beforeInFlight[key] { return before }
    if let before = beforePending[key] { return before }
    return keyspace[key]
  }

  private func durability(of key: Key) -> Durability {
    if !beforePending.isEmpty, beforePending[key] != nil { return .pending }
    if !beforeInFlight.isEmpty, beforeInFlight[key] != nil { return .inFlight }
    return .committed
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

  func removeAll() {
    for place in 0..<keyspace.placeCount {
      if let (key, value) = keyspace[place: place] { keep(value, of: key) }
    }
    for key in watchedKeys.keys where keyspace[key] != nil { watchedKeys.noteChange(of: key) }
    keyspace.removeAll()
    expiryPlace = 0
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
    LogRecord.endGroup(at: last, in: &pendingRecords, salt: salt)
  }

  private func keep(_ before: Value?, of key: Key) {
    watchedKeys.noteChange(of: key)
    // Only the value before the first change of a batch counts. One look-up, where two would be
    // simpler.
    beforePending.merge(CollectionOfOne((key, before))) { first, _ in first }
  }

  private func record(
    _ kind: LogRecord.Kind, isContinued: Bool = false, number: Int64 = 0, key: Key = Key([]),
    value: Bytes = []
  ) {
    note(.pending)
    if isGrouping { lastGroupRecord = pendingRecords.count }
    LogRecord.write(
      kind, isContinued: isContinued || isGrouping, number: number, key: key.bytes, value: value,
      salt: salt,
      to: &pendingRecords)
  }

  // MARK: - Batches

  /// Moves the pending batch into flight.
  func beginBatch() {
    require(beforeInFlight.isEmpty, "Database: one batch at a time")
    swap(&beforeInFlight, &beforePending)
    swap(&inFlightRecords, &pendingRecords)
    pendingRecords.removeAll(keepingCapacity: pendingRecords.count <= Self.keptByteCount)
  }

  /// Commits the batch in flight: its records are in the log.
  func didCommit() {
    beforeInFlight.removeAll(keepingCapacity: beforeInFlight.count <= Self.keptKeyCount)
  }

  /// Rolls back to the committed state after a failed log write.
  func revert() {
    for before in [beforePending, beforeInFlight] {
      for (key, value) in before {
        watchedKeys.noteChange(of: key)
        if let value { keyspace.set(key, value) } else { keyspace.remove(key) }
      }
    }
    beforePending = [:]
    beforeInFlight = [:]
    pendingRecords = []
  }

  /// Batches reuse their memory, except that of an unusually large one.
  private static let keptByteCount = 1024 * 1024
  private static let keptKeyCount = 10_000

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
    case .removeAll: keyspace.removeAll()
    case .synced: break
    }
  }

  /// Writes the committed value of the key at a place, if it has one.
  func writeCommitted(place: Int, to log: inout Bytes) {
    guard let (key, _) = keyspace[place: place] else { return }
    writeCommitted(key, to: &log)
  }

  /// Writes the committed values of the keys that the pending batch changes. Some of these keys no
  /// longer have a place.
  func writeCommittedValuesOfPendingKeys(to log: inout Bytes) {
    for key in beforePending.keys { writeCommitted(key, to: &log) }
  }

  private func writeCommitted(_ key: Key, to log: inout Bytes) {
    // Includes expired keys: a later record may remove the expiry.
    guard let value = committedValue(of: key) else { return }
    LogRecord.write(
      .set, number: value.expiry.milliseconds, key: key.bytes, value: value.bytes, salt: salt,
      to: &log)
  }

  // MARK: - Expiry

  private func removeExpired(_ key: Key) {
    keyspace.remove(key)
    watchedKeys.noteChange(of: key)
  }

  /// Removes the expired keys from the next `placeLimit` places.
  ///
  /// - Returns: The number of removed keys.
  func removeExpired(placeLimit: Int) -> Int {
    guard keyspace.expiringCount > 0 else { return 0 }
    var count = 0
    for _ in 0..<min(placeLimit, keyspace.placeCount) {
      if expiryPlace >= keyspace.placeCount { expiryPlace = 0 }
      if let (key, value) = keyspace[place: expiryPlace], value.isExpired(at: now) {
        removeExpired(key)
        count += 1
      }
      expiryPlace += 1
    }
    return count
  }
}
