/// The keys that clients watch, with a version that each change of a key raises.
struct WatchedKeys {
  private struct Entry {
    var version: Int
    var watcherCount = 0
  }

  private var entries: [Key: Entry] = [:]
  /// The last version; none is used twice.
  private var lastVersion = 0

  var keys: some Collection<Key> { entries.keys }

  /// - Returns: The present version of the key.
  mutating func watch(_ key: Key) -> Int {
    entries[key, default: Entry(version: lastVersion)].watcherCount += 1
    return version(of: key)
  }

  mutating func unwatch(_ key: Key) {
    guard var entry = entries[key] else { return }
    entry.watcherCount -= 1
    entries[key] = entry.watcherCount == 0 ? nil : entry
  }

  /// - Returns: The version of a key that is being watched; 0 for any other.
  func version(of key: Key) -> Int { entries[key]?.version ?? 0 }

  mutating func noteChange(of key: Key) {
    guard !entries.isEmpty, entries[key] != nil else { return }
    lastVersion += 1
    entries[key]?.version = lastVersion
  }
}
