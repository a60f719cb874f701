import Glibc
import TestSupport

/// What the environment asks of the matrix.
enum MatrixSettings {
  /// Prints the name of each cell before it runs: after a crash the last one is to blame.
  static let isVerbose = unsafe getenv("AIO_MATRIX_VERBOSE") != nil
  /// Prints the names of the chosen cells, and runs none.
  static let onlyLists = unsafe getenv("AIO_MATRIX_LIST") != nil
  /// Runs only cells in whose name this occurs.
  static let only = text("AIO_MATRIX_ONLY")
  /// Leaves out cells in whose name one of these occurs, which commas part.
  static let skipped = (text("AIO_MATRIX_SKIP") ?? "").split(separator: ",").map(String.init)
  /// How long a cell may take: far more than any machine needs.
  static let deadlineSeconds =
    text("AIO_MATRIX_DEADLINE").flatMap { UInt32($0) }
    ?? UInt32(testDeadline.components.seconds)

  static func say(_ text: String) {
    unsafe write(STDERR_FILENO, text, text.utf8.count)
  }

  static func includes(_ name: String) -> Bool {
    !skipped.contains { name.contains($0) } && only.map { name.contains($0) } ?? true
  }

  private static func text(_ name: String) -> String? {
    unsafe getenv(name).map { unsafe String(cString: $0) }
  }
}

/// Ends the process when a cell hangs, and says which.
enum CellDeadline {
  private static let byteLimit = 400

  // Written on one thread, before the alarm that has it read.
  nonisolated(unsafe) private static let text = UnsafeMutablePointer<CChar>.allocate(
    capacity: byteLimit)

  private static let handler: Void = {
    var action = sigaction()
    unsafe action.__sigaction_handler.sa_handler = { _ in expire() }
    unsafe sigaction(SIGALRM, &action, nil)
  }()

  static func begin(_ name: String) {
    handler
    unsafe strncpy(text, "the cell hangs: \(name)\n", byteLimit - 1)
    alarm(MatrixSettings.deadlineSeconds)
  }

  static func end() {
    alarm(0)
  }

  /// Calls only what a signal handler may.
  private static func expire() {
    unsafe write(STDERR_FILENO, text, strlen(text))
    abort()
  }
}
