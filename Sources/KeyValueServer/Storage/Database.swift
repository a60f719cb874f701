import PosixAIO

/// How far what an answer tells has got.
enum Standing: Comparable {
  /// A crash does not undo it.
  case settled
  /// It is in the batch of records that is being written.
  case inFlight
  /// It is in the batch that is being gathered.
  case gathering
}

/// The keyspace, in two states: the newest, and the settled one, which is what a crash would leave.
///
/// Changes are made to the newest state at once, and gather as records. What the changed keys stood
/// for before is kept: it is the settled state, until the records are on the disk, and what comes
/// back if they cannot be written. At most one batch of records is in flight.
final class Database {
  /// Which of the states a command reads.
  enum View {
    case newest
    case settled
  }

  private(set) var keyspace = Keyspace()
  private var beforeFlight: [Key: Value?] = [:]
  private var beforeGathering: [Key: Value?] = [:]
  private var expiryPlace = 0

  let salt: UInt32

  /// The gathering batch, as it will stand in the log.
  private(set) var records: Bytes = []
  /// The batch in flight.
  private(set) var flight: Bytes = []

  /// The present time, set at the beginning of each round of commands.
  var now = Moment.now()

  /// How far what was read or written since this was reset has got.
  var standing = Standing.settled

  init(salt: UInt32) {
    self.salt = salt
  }

  // MARK: - Reading

  /// What a key stands for.
  func read(_ key: Key, _ view: View) -> Value? {
    let value: Value?
    switch view {
    case .newest:
      note(standing(of: key))
      value = keyspace[key]
    case .settled:
      value = settledValue(of: key)
    }
    guard let value, value.isExpired(at: now) else { return value }
    if view == .newest || standing(of: key) == .settled { keyspace.remove(key) }
    return nil
  }

  /// Notes that all keys are looked at, in the newest state.
  func noteAll() {
    note(beforeGathering.isEmpty ? beforeFlight.isEmpty ? .settled : .inFlight : .gathering)
  }

  private func settledValue(of key: Key) -> Value? {
    if let before = beforeFlight[key] { return before }
    if let before = beforeGathering[key] { return before }
    return keyspace[key]
  }

  private func standing(of key: Key) -> Standing {
    if !beforeGathering.isEmpty, beforeGathering[key] != nil { return .gathering }
    if !beforeFlight.isEmpty, beforeFlight[key] != nil { return .inFlight }
    return .settled
  }

  private func note(_ standing: Standing) {
    self.standing = max(self.standing, standing)
  }

  // MARK: - Changing

  /// - Parameter isContinued: Whether the next change is the same command's.
  func set(_ key: Key, _ value: Value, isContinued: Bool = false) {
    let before = keyspace.set(key, value)
    keep(before, of: key)
    record(
      .set, isContinued: isContinued, number: value.expiry.milliseconds, key: key,
      value: value.bytes)
  }

  /// Of a key that is there, and was just read.
  func append(_ bytes: Bytes, to key: Key) {
    keep(keyspace[key], of: key)
    keyspace.append(bytes, to: key)
    record(.append, key: key, value: bytes)
  }

  /// Of a key that is there, and was just read.
  func setExpiry(_ expiry: Moment, of key: Key) {
    guard var value = keyspace[key] else { return }
    keep(value, of: key)
    value.expiry = expiry
    keyspace.set(key, value)
    record(.expire, number: expiry.milliseconds, key: key)
  }

  /// Of keys that are there, and were just read.
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
    keyspace.removeAll()
    expiryPlace = 0
    record(.removeAll)
  }

  private func keep(_ before: Value?, of key: Key) {
    // The first change of a batch counts. One look-up, where two would be simpler.
    beforeGathering.merge(CollectionOfOne((key, before))) { first, _ in first }
  }

  private func record(
    _ kind: LogRecord.Kind, isContinued: Bool = false, number: Int64 = 0, key: Key = Key([]),
    value: Bytes = []
  ) {
    note(.gathering)
    LogRecord.write(
      kind, isContinued: isContinued, number: number, key: key.bytes, value: value, salt: salt,
      to: &records)
  }

  // MARK: - Batches

  /// The gathered records are on their way.
  func beginFlight() {
    require(beforeFlight.isEmpty, "Database: one batch at a time")
    swap(&beforeFlight, &beforeGathering)
    swap(&flight, &records)
    records.removeAll(keepingCapacity: records.count <= Self.keptByteCount)
  }

  /// What was on its way is in the log.
  func settle() {
    beforeFlight.removeAll(keepingCapacity: beforeFlight.count <= Self.keptKeyCount)
  }

  /// The log could not be written: nothing that is not settled has ever been.
  func revert() {
    for before in [beforeGathering, beforeFlight] {
      for (key, value) in before {
        if let value { keyspace.set(key, value) } else { keyspace.remove(key) }
      }
    }
    beforeGathering = [:]
    beforeFlight = [:]
    records = []
  }

  /// Memory that a batch has used is used again, unless it was an uncommonly large one.
  private static let keptByteCount = 1024 * 1024
  private static let keptKeyCount = 10_000

  // MARK: - For the log

  /// Makes a change that stands in the log already.
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

  /// Writes what the key at a place stands for in the settled state, if it does.
  func writeSettled(place: Int, to log: inout Bytes) {
    guard let (key, _) = keyspace[place: place] else { return }
    writeSettled(key, to: &log)
  }

  /// The same for the keys that the gathering batch changes, some of which have no place any more.
  func writeSettledOfGathering(to log: inout Bytes) {
    for key in beforeGathering.keys { writeSettled(key, to: &log) }
  }

  private func writeSettled(_ key: Key, to log: inout Bytes) {
    // What has expired, too: a record that takes the expiry away may follow.
    guard let value = settledValue(of: key) else { return }
    LogRecord.write(
      .set, number: value.expiry.milliseconds, key: key.bytes, value: value.bytes, salt: salt,
      to: &log)
  }

  // MARK: - Expiry

  /// Removes what has expired from some of the places.
  ///
  /// - Returns: How many keys were removed.
  func removeExpired(placeLimit: Int) -> Int {
    guard keyspace.expiringCount > 0 else { return 0 }
    var count = 0
    for _ in 0..<min(placeLimit, keyspace.placeCount) {
      if expiryPlace >= keyspace.placeCount { expiryPlace = 0 }
      if let (key, value) = keyspace[place: expiryPlace], value.isExpired(at: now) {
        keyspace.remove(key)
        count += 1
      }
      expiryPlace += 1
    }
    return count
  }
}
