/// The state before a batch of changes: commands read it until the batch is committed, and it is
/// restored if the batch cannot be written.
struct BatchUndo {
  /// The values of changed keys before the first change of a batch; nil for missing keys.
  private(set) var values: [Key: Value?] = [:]
  /// The keys that a batch removed all at once, with the changes that it made before.
  private(set) var removedAll: Keyspace?

  var isEmpty: Bool { values.isEmpty && removedAll == nil }

  /// Whether the batch may have changed a key.
  func covers(_ key: Key) -> Bool {
    !isEmpty && (removedAll != nil || values[key] != nil)
  }

  /// - Returns: The value of a key before the batch, or nil if the key is missing; nil if the batch
  ///   has not changed the key.
  func value(of key: Key) -> Value?? {
    guard !isEmpty else { return nil }
    if let before = values[key] { return before }
    return removedAll.map { $0[key] }
  }

  mutating func keep(_ before: Value?, of key: Key) {
    guard removedAll == nil else { return }
    // Only the value before the first change of a batch counts. One look-up, where two would be
    // simpler.
    values.merge(CollectionOfOne((key, before))) { first, _ in first }
  }

  /// Keeps all keys before the batch removes them.
  ///
  /// - Returns: Those that are not needed, because the batch has removed all keys before.
  mutating func keepAll(_ keyspace: Keyspace) -> Keyspace? {
    guard removedAll == nil else { return keyspace }
    removedAll = keyspace
    return nil
  }

  /// Batches reuse their memory, except that of an unusually large one.
  private static let keptKeyCount = 10_000

  /// Forgets everything.
  ///
  /// - Returns: The keys that the batch removed all at once.
  mutating func clear() -> Keyspace? {
    values.removeAll(keepingCapacity: values.count <= Self.keptKeyCount)
    defer { removedAll = nil }
    return removedAll
  }
}
