import Glibc

/// A key, hashed as one block of memory.
struct Key: Hashable {
  let bytes: Bytes
  /// Calculated once. The hasher's seed differs per process, so clients cannot choose keys that
  /// collide.
  let hash: Int

  init(_ bytes: Bytes) {
    self.bytes = bytes
    var hasher = Hasher()
    unsafe bytes.withUnsafeBytes { unsafe hasher.combine(bytes: $0) }
    hash = hasher.finalize()
  }

  static func == (one: Key, other: Key) -> Bool {
    one.hash == other.hash && one.bytes == other.bytes
  }

  func hash(into hasher: inout Hasher) { hasher.combine(hash) }
}

/// A wall-clock time in milliseconds since 1970, as in the protocol and the log.
struct Moment: Comparable, Hashable {
  let milliseconds: Int64

  /// The expiry of a key that does not expire.
  static let never = Moment(milliseconds: .max)

  static func now() -> Moment {
    var time = timespec()
    unsafe clock_gettime(CLOCK_REALTIME, &time)
    return Moment(milliseconds: Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000)
  }

  static func < (one: Moment, other: Moment) -> Bool { one.milliseconds < other.milliseconds }
}

/// The value of a key, and its expiry.
struct Value: Equatable {
  var bytes: Bytes
  var expiry = Moment.never

  func isExpired(at now: Moment) -> Bool { expiry <= now }
}

/// The keys and values in memory.
///
/// They are divided among many small dictionaries, the shards, by the hash of the key. Only one
/// shard at a time grows, so no change of the keyspace takes long, and its work can be divided into
/// small pieces. A key never changes its shard: an iteration over the shards finds every key that
/// exists from its start to its end.
struct Keyspace {
  private struct Shard {
    var values: [Key: Value] = [:]
    /// No value expires earlier.
    var earliestExpiry = Moment.never
  }

  /// With 5 million keys, a shard has about 300.
  static let shardCount = 16_384

  private var shards = [Shard](repeating: Shard(), count: shardCount)

  private(set) var count = 0

  /// The number of keys with an expiry.
  private(set) var expiringCount = 0

  /// The approximate size of a log with all keys and values, in bytes.
  private(set) var byteCount = 0

  /// The entry of a key, the headers of two arrays, and the share of free entries, without what a
  /// record has in the log, in bytes.
  private static let overheadByteCount = 100

  /// The approximate memory of all keys and values, in bytes.
  var memoryByteCount: Int { byteCount + count * Self.overheadByteCount }

  private static func shard(of key: Key) -> Int { key.hash & (shardCount - 1) }

  subscript(key: Key) -> Value? { shards[Self.shard(of: key)].values[key] }

  /// The keys and values of a shard.
  func entries(ofShard shard: Int) -> [Key: Value] { shards[shard].values }

  /// - Returns: The previous value of the key.
  @discardableResult
  mutating func set(_ key: Key, _ value: Value) -> Value? {
    let shard = Self.shard(of: key)
    let old = shards[shard].values.updateValue(value, forKey: key)
    if value.expiry < shards[shard].earliestExpiry { shards[shard].earliestExpiry = value.expiry }
    if let old { uncount(key, old) }
    count(key, value)
    return old
  }

  /// Appends bytes to the value of a key. A key that is missing stays so: in a rewritten log, a
  /// record that sets a key may follow the records of appends that its value includes.
  mutating func append(_ bytes: Bytes, to key: Key) {
    let appended: Void? = shards[Self.shard(of: key)].values[key]?.bytes.append(contentsOf: bytes)
    if appended != nil { byteCount += bytes.count }
  }

  /// - Returns: The removed value.
  @discardableResult
  mutating func remove(_ key: Key) -> Value? {
    let old = shards[Self.shard(of: key)].values.removeValue(forKey: key)
    if let old { uncount(key, old) }
    return old
  }

  private mutating func count(_ key: Key, _ value: Value) {
    count += 1
    byteCount += LogRecord.byteCount(
      keyByteCount: key.bytes.count, valueByteCount: value.bytes.count)
    if value.expiry != .never { expiringCount += 1 }
  }

  private mutating func uncount(_ key: Key, _ value: Value) {
    count -= 1
    byteCount -= LogRecord.byteCount(
      keyByteCount: key.bytes.count, valueByteCount: value.bytes.count)
    if value.expiry != .never { expiringCount -= 1 }
  }

  // MARK: - Work in pieces

  /// Removes the expired keys of a shard.
  ///
  /// - Returns: The removed keys, and how many keys were checked.
  mutating func removeExpired(ofShard shard: Int, at now: Moment) -> (keys: [Key], checked: Int) {
    guard shards[shard].earliestExpiry <= now else { return ([], 0) }
    let checked = shards[shard].values.count
    var earliest = Moment.never
    var expired: [Key] = []
    for (key, value) in shards[shard].values {
      if value.isExpired(at: now) {
        expired.append(key)
      } else {
        earliest = min(earliest, value.expiry)
      }
    }
    for key in expired { remove(key) }
    shards[shard].earliestExpiry = earliest
    return (expired, checked)
  }

  /// Frees the memory of whole shards, the last first, for a keyspace that is no longer needed.
  ///
  /// - Parameter stepLimit: Stops after the shard that completes this number of keys and shards.
  /// - Returns: Whether something is left.
  mutating func free(stepLimit: Int) -> Bool {
    var stepCount = 0
    while stepCount < stepLimit, let shard = shards.popLast() {
      stepCount += 1 + shard.values.count
    }
    return !shards.isEmpty
  }

  /// How many random shards to try before the next one that fits is taken.
  private static let randomShardLimit = 100

  /// A random key among those that fit; nil if there are none.
  func randomKey(where fits: (Value) -> Bool) -> Key? {
    guard count > 0 else { return nil }
    for _ in 0..<Self.randomShardLimit {
      if let key = randomKey(ofShard: .random(in: 0..<Self.shardCount), fits) { return key }
    }
    let start = Int.random(in: 0..<Self.shardCount)
    for shard in 0..<Self.shardCount {
      let key = randomKey(ofShard: (start + shard) % Self.shardCount, fits)
      if let key { return key }
    }
    return nil
  }

  private func randomKey(ofShard shard: Int, _ fits: (Value) -> Bool) -> Key? {
    guard let (key, value) = shards[shard].values.randomElement() else { return nil }
    return fits(value) ? key : shards[shard].values.first { fits($0.value) }?.key
  }
}
