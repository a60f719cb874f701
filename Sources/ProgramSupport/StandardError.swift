internal import Glibc

/// Writes to standard error.
public enum StandardError {
  /// Writes one line.
  public static func write(line text: String) {
    // A quoted argument may contain line ends.
    write(text.split(whereSeparator: \.isNewline).joined(separator: " ") + "\n")
  }

  /// Writes a text unchanged.
  public static func write(_ text: String) {
    // Standard error may be closed; then the error has nowhere to go.
    _ = unsafe text.withCString { unsafe Glibc.write(STDERR_FILENO, $0, strlen($0)) }
  }
}
