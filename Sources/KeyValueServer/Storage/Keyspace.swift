import Glibc

/// A key, hashed as one block of memory.
struct Key: Hashable {
  let bytes: Bytes

  init(_ bytes: Bytes) {
    self.bytes = bytes
  }

  static func == (one: Key, other: Key) -> Bool { one.bytes == other.bytes }

  func hash(into hasher: inout Hasher) {
    // The hasher's seed differs per process, so clients cannot choose keys that collide.
    unsafe bytes.withUnsafeBytes { unsafe hasher.combine(bytes: $0) }
  }
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
/// Each key keeps its place until it is removed. So the places can be iterated while keys come and
/// go: the iteration finds every key that exists from its start to its end.
struct Keyspace {
  private var places: [Key: Int] = [:]
  private var entries: [(key: Key, value: Value)?] = []
  private var freePlaces: [Int] = []

  /// The number of keys with an expiry.
  private(set) var expiringCount = 0

  /// The approximate size of a log with all keys and values, in bytes.
  private(set) var byteCount = 0

  var count: Int { places.count }

  /// The number of places, used or free. Places are numbered from 0.
  var placeCount: Int { entries.count }

  subscript(key: Key) -> Value? {
    guard let place = places[key] else { return nil }
    return entries[place]?.value
  }

  subscript(place place: Int) -> (key: Key, value: Value)? {
    entries.indices.contains(place) ? entries[place] : nil
  }

  /// - Returns: The previous value of the key.
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

  /// Appends bytes to the value of an existing key.
  mutating func append(_ bytes: Bytes, to key: Key) {
    guard let place = places[key] else { return }
    entries[place]?.value.bytes.append(contentsOf: bytes)
    byteCount += bytes.count
  }

  /// - Returns: The removed value.
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
