import CFileServer

/// A hash of a password in a format of crypt(5), which `mkpasswd`, `htpasswd -B` and
/// `openssl passwd` make.
struct PasswordHash: Sendable {
  private let text: String

  /// - Returns: Nil if the text is not of such a format. It is not noticed here if its end is
  ///   missing.
  init?(_ text: String) {
    // What follows a dollar sign tells the method. Without one, any word would be a hash of the
    // oldest method.
    guard text.hasPrefix("$"), unsafe cfileserver_is_hash(text) else { return nil }
    self.text = text
  }

  /// Whether the password has this hash. It takes milliseconds of processor time, and the same for
  /// a wrong password.
  func matches(_ password: [UInt8]) -> Bool {
    // C would see its end there.
    guard !password.contains(0) else { return false }
    return unsafe (password + [0]).withUnsafeBytes { bytes in
      unsafe bytes.withMemoryRebound(to: CChar.self) { unsafe matches($0) }
    }
  }

  /// - Parameter password: Ends with a zero.
  private func matches(_ password: UnsafeBufferPointer<CChar>) -> Bool {
    guard let start = password.baseAddress else { return false }
    return unsafe cfileserver_password_matches(start, text)
  }
}
