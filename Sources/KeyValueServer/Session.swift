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
  /// The name of the last command; at most 15 letters.
  var lastCommand = "NULL"

  init(id: Int, isAuthenticated: Bool) {
    self.id = id
    self.isAuthenticated = isAuthenticated
    start = .now()
    lastRequest = start
  }

  /// Undoes everything that the client has set.
  mutating func reset(isAuthenticated: Bool) {
    name = []
    isRESP3 = false
    isNeverEvicted = false
    self.isAuthenticated = isAuthenticated
  }
}
