import Logging
import PosixAIO
import Reactor
import SystemPackage

/// The file that has a line for each request.
///
/// Lines are written behind the requests' back. A log that can't be written, on a full disk or
/// since the disk is too slow, costs lines, which are counted, and never an answer.
final class AccessLog {
  /// How long a log that could not be written rests before it is tried again.
  static let retryInterval = Duration.seconds(10)

  private enum State {
    case open(FileWriter)
    /// Until `next`, lines are dropped; then the file is opened anew.
    case failed(next: ContinuousClock.Instant)
    case reopening
    case closed
  }

  private let path: FilePath
  private let loop: EventLoop
  private let logger: Logger
  private var state: State

  /// Whether the present trouble was told.
  private var hasComplained = false

  /// The bytes of lines that are not in the file and never will be.
  private(set) var droppedByteCount: Int64 = 0

  /// Makes the file if it is not there, and appends to it if it is.
  static func open(
    _ path: FilePath, on loop: EventLoop, _ logger: Logger,
    _ handler: @escaping (Result<AccessLog, FileError>) -> Void
  ) {
    openFile(path, on: loop) { result in
      handler(result.map { AccessLog(path, $0, logger) })
    }
  }

  /// Less than the default: who asked for what is for the administrators alone.
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

  /// Has a line written soon.
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
      if ContinuousClock.now >= next { openAnew() }
    case .reopening, .closed:
      drop(line)
    }
  }

  /// Goes on in a new file of the same name, after the old one was renamed.
  func reopen() {
    switch state {
    case .open(let writer):
      writer.reopen(path, permissions: Self.permissions) { [logger] result in
        if case .failure(let error) = result {
          logger.error("the access log was not opened anew: \(error)")
        }
      }
    case .failed: openAnew()
    case .reopening, .closed: break
    }
  }

  /// Writes what is left and closes the file.
  func close(_ handler: @escaping () -> Void) {
    guard case .open(let writer) = state else {
      state = .closed
      loop.schedule(after: .zero, handler)
      return
    }
    state = .closed
    writer.close { [logger] result in
      if case .failure(let error) = result { logger.error("the access log is not whole: \(error)") }
      handler()
    }
  }

  // MARK: - Failures

  private func drop(_ line: String) {
    droppedByteCount += Int64(line.utf8.count)
  }

  /// Told once until a line could be written again, not for each line.
  private func failed(_ writer: FileWriter, _ error: FileError) {
    if writer.byteCountWritten > 0 { hasComplained = false }
    if !hasComplained {
      logger.error("the access log cannot be written, and lines are dropped: \(error)")
    }
    hasComplained = true
    droppedByteCount += Int64(writer.bufferedByteCount)
    state = .failed(next: .now + Self.retryInterval)
    writer.close()
  }

  private func openAnew() {
    state = .reopening
    Self.openFile(path, on: loop) { [self] result in
      guard case .reopening = state else {
        if case .success(let file) = result { file.close() }
        return
      }
      switch result {
      case .success(let file):
        state = .open(FileWriter(file))
        // The last line may have been cut in the middle.
        add("\n")
      case .failure:
        state = .failed(next: .now + Self.retryInterval)
      }
    }
  }
}
