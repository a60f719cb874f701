/// The part of a client that its own commands change.
struct Session {
  /// Never the same for two clients of a process.
  let id: Int
  let start: Moment
  var name: Bytes = []
  var libraryName: Bytes = []
  var libraryVersion: Bytes = []
  var isRESP3 = false
  /// Whether the client has given the password, or needs none.
  var isAuthenticated: Bool
  /// Whether it stays connected when all clients hold too much memory.
  var isNeverEvicted = false
  var lastRequest: Moment
  /// The transaction that was started with MULTI; nil if there is none.
  var transaction: Transaction?
  /// The watched keys, with their versions at that time.
  private(set) var watchedVersions: [Key: Int] = [:]
  private var watchedByteCount = 0
  /// The name of the last command; at most 15 letters.
  var lastCommand = "NULL"

  init(id: Int, isAuthenticated: Bool) {
    self.id = id
    self.isAuthenticated = isAuthenticated
    start = .now()
    lastRequest = start
  }

  /// The memory of a transaction and of the watched keys, in bytes.
  var memoryByteCount: Int {
    (transaction?.memoryByteCount ?? 0) + watchedByteCount
  }

  /// The entries of a watched key in the session and in the database.
  private static let watchByteCount = 128

  mutating func watch(_ key: Key, version: Int) {
    watchedVersions[key] = version
    watchedByteCount += key.bytes.count + Self.watchByteCount
  }

  mutating func unwatchAll() {
    watchedVersions = [:]
    watchedByteCount = 0
  }

  /// Undoes everything that the client has set. It watches no keys any more.
  mutating func reset(isAuthenticated: Bool) {
    name = []
    isRESP3 = false
    isNeverEvicted = false
    transaction = nil
    self.isAuthenticated = isAuthenticated
  }
}
