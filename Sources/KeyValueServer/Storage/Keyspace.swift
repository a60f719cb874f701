import Glibc

/// A key, hashed as one piece of memory.
struct Key: Hashable {
  let bytes: Bytes

  init(_ bytes: Bytes) {
    self.bytes = bytes
  }

  static func == (one: Key, other: Key) -> Bool { one.bytes == other.bytes }

  func hash(into hasher: inout Hasher) {
    // The hasher has a seed of this process, so that nobody can choose keys that collide.
    unsafe bytes.withUnsafeBytes { unsafe hasher.combine(bytes: $0) }
  }
}

/// A moment of the wall clock, in milliseconds since 1970, as the protocol and the log have it.
struct Moment: Comparable, Hashable {
  let milliseconds: Int64

  /// The expiry of what does not expire.
  static let never = Moment(milliseconds: .max)

  static func now() -> Moment {
    var time = timespec()
    unsafe clock_gettime(CLOCK_REALTIME, &time)
    return Moment(milliseconds: Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000)
  }

  static func < (one: Moment, other: Moment) -> Bool { one.milliseconds < other.milliseconds }
}

/// What a key stands for.
struct Value: Equatable {
  var bytes: Bytes
  var expiry = Moment.never

  func isExpired(at now: Moment) -> Bool { expiry <= now }
}

/// The keys and values in memory.
///
/// Each key has a place that it keeps until it is removed, so places can be walked through while
/// keys come and go: what is there from the walk's start to its end is met.
struct Keyspace {
  private var places: [Key: Int] = [:]
  private var entries: [(key: Key, value: Value)?] = []
  private var freePlaces: [Int] = []

  /// The keys that have an expiry.
  private(set) var expiringCount = 0

  /// About what the values and keys would take in a log, in bytes.
  private(set) var byteCount = 0

  var count: Int { places.count }

  /// The places, used or free: 0 to one below this.
  var placeCount: Int { entries.count }

  subscript(key: Key) -> Value? {
    guard let place = places[key] else { return nil }
    return entries[place]?.value
  }

  subscript(place place: Int) -> (key: Key, value: Value)? {
    entries.indices.contains(place) ? entries[place] : nil
  }

  /// - Returns: What the key stood for.
  @discardableResult
  mutating func set(_ key: Key, _ value: Value) -> Value? {
    if let place = places[key], let old = entries[place]?.value {
      uncount(key, old)
      count(key, value)
      entries[place]?.value = value
      return old
    }
    let place = freePlaces.popLast() ?? entries.count
    if place == entries.count {
      entries.append((key, value))
    } else {
      entries[place] = (key, value)
    }
    places[key] = place
    count(key, value)
    return nil
  }

  /// Adds bytes to a value that is there.
  mutating func append(_ bytes: Bytes, to key: Key) {
    guard let place = places[key] else { return }
    entries[place]?.value.bytes.append(contentsOf: bytes)
    byteCount += bytes.count
  }

  /// - Returns: What the key stood for.
  @discardableResult
  mutating func remove(_ key: Key) -> Value? {
    guard let place = places.removeValue(forKey: key), let entry = entries[place] else {
      return nil
    }
    entries[place] = nil
    freePlaces.append(place)
    uncount(key, entry.value)
    return entry.value
  }

  mutating func removeAll() {
    self = Keyspace()
  }

  private mutating func count(_ key: Key, _ value: Value) {
    byteCount += LogRecord.byteCount(
      keyByteCount: key.bytes.count, valueByteCount: value.bytes.count)
    if value.expiry != .never { expiringCount += 1 }
  }

  private mutating func uncount(_ key: Key, _ value: Value) {
    byteCount -= LogRecord.byteCount(
      keyByteCount: key.bytes.count, valueByteCount: value.bytes.count)
    if value.expiry != .never { expiringCount -= 1 }
  }
}
