internal import Glibc

/// What a program tells its user beside its output.
public enum StandardError {
  /// Writes one line.
  public static func write(line text: String) {
    // An argument that is quoted in it may have line ends.
    write(text.split(whereSeparator: \.isNewline).joined(separator: " ") + "\n")
  }

  /// Writes a text as it is.
  public static func write(_ text: String) {
    // Standard error may be closed; there is nobody else to tell.
    _ = unsafe text.withCString { unsafe Glibc.write(STDERR_FILENO, $0, strlen($0)) }
  }
}
