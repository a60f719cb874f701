/// The users, and the hashes of their passwords.
struct Credentials: Sendable {
  private var hashes: [String: PasswordHash] = [:]

  struct FormatError: Error, CustomStringConvertible {
    let description: String
  }

  var isEmpty: Bool { hashes.isEmpty }

  /// Adds a user, or replaces the hash of one.
  ///
  /// - Parameter text: "USER:HASH".
  mutating func add(_ text: String) throws(FormatError) {
    guard let colon = text.firstIndex(of: ":"), colon > text.startIndex,
      let hash = PasswordHash(String(text[text.index(after: colon)...]))
    else {
      // The text may hold a password by mistake, so it is not repeated.
      throw FormatError(
        description: "must be USER:HASH, with a hash of mkpasswd, htpasswd -B or openssl passwd -6")
    }
    hashes[String(text[..<colon])] = hash
  }

  /// Adds the users of a file: one in each line; empty lines and those that begin with `#` are
  /// skipped.
  mutating func add(lines bytes: [UInt8]) throws(FormatError) {
    for line in bytes.split(whereSeparator: { $0 == 0x0A || $0 == 0x0D }) where line.first != 0x23 {
      try add(String(decoding: line, as: UTF8.self))
    }
  }

  /// Checks a user and a password. Takes milliseconds of processor time. For a user that does not
  /// exist, it takes that of another one, which is the same if all hashes have one method and cost.
  func allow(_ user: String, _ password: [UInt8]) -> Bool {
    guard let hash = hashes[user] else {
      _ = hashes.first?.value.matches(password)
      return false
    }
    return hash.matches(password)
  }
}
