/// A hash of a password in the format `$5$SALT$HASH` of crypt(5), SHA-256 with a salt and thousands
/// of rounds. `mkpasswd -m sha256crypt` and `openssl passwd -5` make it.
struct PasswordHash: Sendable {
  private static let usualRoundCount = 5000
  /// As in crypt(5).
  private static let roundCountRange = 1000...999_999_999
  private static let saltByteLimit = 16
  private static let digits = Array(
    "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".utf8)
  /// The number of digits of a hash.
  private static let digitCount = 43

  private let roundCount: Int
  private let salt: [UInt8]
  private let expected: [UInt8]

  /// - Returns: Nil if the text is not of that format.
  init?(_ text: String) {
    var parts = text.split(separator: "$", omittingEmptySubsequences: false).dropFirst()[...]
    guard text.hasPrefix("$5$") else { return nil }
    parts.removeFirst()
    var roundCount = Self.usualRoundCount
    if let first = parts.first, first.hasPrefix("rounds=") {
      guard let count = Int(first.dropFirst("rounds=".utf8.count)),
        Self.roundCountRange.contains(count)
      else { return nil }
      roundCount = count
      parts.removeFirst()
    }
    guard parts.count == 2, let salt = parts.first, let hash = parts.last,
      salt.utf8.count <= Self.saltByteLimit, hash.utf8.count == Self.digitCount,
      hash.utf8.allSatisfy(Self.digits.contains)
    else { return nil }
    self.roundCount = roundCount
    self.salt = Array(salt.utf8)
    expected = Array(hash.utf8)
  }

  /// Whether the password has this hash. It takes milliseconds of processor time, and the same for
  /// a wrong password.
  func matches(_ password: [UInt8]) -> Bool {
    isEqualInConstantTime(Self.encoded(digest(of: password)), expected)
  }

  // The names of the standard: https://www.akkadia.org/drepper/SHA-crypt.txt

  private func digest(of password: [UInt8]) -> [UInt8] {
    let b = SHA256.digest(password + salt + password)
    var hash = SHA256()
    hash.update(password)
    hash.update(salt)
    hash.update(b.repeated(to: password.count))
    var rest = password.count
    while rest > 0 {
      hash.update(rest & 1 == 1 ? b : password)
      rest >>= 1
    }
    var a = hash.finish()
    let p = SHA256.digest([[UInt8]](repeating: password, count: password.count).joined())
      .repeated(to: password.count)
    let s = SHA256.digest([[UInt8]](repeating: salt, count: 16 + Int(a[0])).joined())
      .repeated(to: salt.count)
    for round in 0..<roundCount {
      var hash = SHA256()
      hash.update(round & 1 == 1 ? p : a)
      if round % 3 != 0 { hash.update(s) }
      if round % 7 != 0 { hash.update(p) }
      hash.update(round & 1 == 1 ? a : p)
      a = hash.finish()
    }
    return a
  }

  /// Writes each three bytes as four digits, the lowest six bits first. The bytes are permuted.
  private static func encoded(_ a: [UInt8]) -> [UInt8] {
    var text: [UInt8] = []
    func append(_ high: UInt8, _ middle: UInt8, _ low: UInt8, count: Int) {
      var bits = UInt32(high) << 16 | UInt32(middle) << 8 | UInt32(low)
      for _ in 0..<count {
        text.append(digits[Int(bits & 63)])
        bits >>= 6
      }
    }
    var (first, second, third) = (0, 10, 20)
    for _ in 0..<10 {
      append(a[first], a[second], a[third], count: 4)
      (first, second, third) = (third + 1, first + 1, second + 1)
    }
    append(0, a[31], a[30], count: 3)
    return text
  }
}

/// Compares all bytes, so that the time does not tell how many are right.
func isEqualInConstantTime(_ left: [UInt8], _ right: [UInt8]) -> Bool {
  guard left.count == right.count else { return false }
  var difference: UInt8 = 0
  for (one, other) in zip(left, right) { difference |= one ^ other }
  return difference == 0
}

extension [UInt8] {
  /// These bytes again and again, up to a count.
  fileprivate func repeated(to byteCount: Int) -> [UInt8] {
    (0..<byteCount).map { self[$0 % count] }
  }
}
