import Logging
import PosixAIO
import Reactor
import SystemPackage

/// The access log, a file with one line for each request.
///
/// Lines are written in the background. If the log cannot be written, because the disk is full or
/// too slow, lines are dropped and counted; responses are not affected.
final class AccessLog {
  /// The time after which a failed log is tried again.
  static let retryInterval = Duration.seconds(10)

  private enum State {
    case open(FileWriter)
    /// Lines are dropped until `next`; then the file is reopened.
    case failed(next: ContinuousClock.Instant)
    case reopening
    case closed
  }

  private let path: FilePath
  private let loop: EventLoop
  private let logger: Logger
  private var state: State

  /// Whether the current failure was logged.
  private var hasComplained = false

  /// The bytes of dropped lines.
  private(set) var droppedByteCount: Int64 = 0

  /// Opens the file to append, and creates it if it does not exist.
  static func open(
    _ path: FilePath, on loop: EventLoop, _ logger: Logger,
    _ handler: @escaping (Result<AccessLog, FileError>) -> Void
  ) {
    openFile(path, on: loop) { result in
      handler(result.map { AccessLog(path, $0, logger) })
    }
  }

  /// Stricter than the default: only administrators may see which client requested which file.
  private static let permissions: FilePermissions = [.ownerReadWrite, .groupRead]

  private static func openFile(
    _ path: FilePath, on loop: EventLoop, _ handler: @escaping (Result<File, FileError>) -> Void
  ) {
    File.open(
      path, .writeOnly, options: [.create, .append], permissions: permissions, on: loop, handler)
  }

  private init(_ path: FilePath, _ file: File, _ logger: Logger) {
    self.path = path
    self.logger = logger
    loop = file.loop
    state = .open(FileWriter(file))
  }

  /// Appends a line, which is written soon.
  func add(_ line: String) {
    switch state {
    case .open(let writer):
      do throws(Errno) {
        try writer.write(line.utf8)
      } catch {
        drop(line)
        if let failure = writer.failure { failed(writer, failure) }
      }
    case .failed(let next):
      drop(line)
      if ContinuousClock.now >= next { openAgain() }
    case .reopening, .closed:
      drop(line)
    }
  }

  /// Continues in a new file of the same name, after the old one was renamed.
  func reopen() {
    switch state {
    case .open(let writer):
      writer.reopen(path, permissions: Self.permissions) { [logger] result in
        if case .failure(let error) = result {
          logger.error("the access log was not reopened: \(error)")
        }
      }
    case .failed: openAgain()
    case .reopening, .closed: break
    }
  }

  /// Writes the remaining lines and closes the file.
  func close(_ handler: @escaping () -> Void) {
    guard case .open(let writer) = state else {
      state = .closed
      loop.schedule(after: .zero, handler)
      return
    }
    state = .closed
    writer.close { [logger] result in
      if case .failure(let error) = result {
        logger.error("the access log is incomplete: \(error)")
      }
      handler()
    }
  }

  // MARK: - Failures

  private func drop(_ line: String) {
    droppedByteCount += Int64(line.utf8.count)
  }

  /// Logs a failure once, and again only after a line was written in between.
  private func failed(_ writer: FileWriter, _ error: FileError) {
    if writer.byteCountWritten > 0 { hasComplained = false }
    if !hasComplained {
      logger.error("the access log cannot be written; lines are dropped: \(error)")
    }
    hasComplained = true
    droppedByteCount += Int64(writer.bufferedByteCount)
    state = .failed(next: .now + Self.retryInterval)
    writer.close()
  }

  private func openAgain() {
    state = .reopening
    Self.openFile(path, on: loop) { [self] result in
      guard case .reopening = state else {
        if case .success(let file) = result { file.close() }
        return
      }
      switch result {
      case .success(let file):
        state = .open(FileWriter(file))
        // The last line may be incomplete.
        add("\n")
      case .failure:
        state = .failed(next: .now + Self.retryInterval)
      }
    }
  }
}
