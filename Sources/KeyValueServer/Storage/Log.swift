import Logging
import PosixAIO
import Reactor
import SystemPackage

/// When changes are flushed to the disk.
enum SyncPolicy: String {
  /// Before they are acknowledged.
  case always
  /// Once a second.
  case everysec
  /// When the kernel chooses.
  case no
}

/// The file that holds every change before it is acknowledged.
///
/// While one batch of changes is written and synced, the database collects the next. So clients
/// that wait for the disk do not delay others, and syncs merge by themselves.
final class Log {
  struct Configuration {
    var syncPolicy = SyncPolicy.always
    /// The log is rewritten when its size is this many times that of a new one…
    var rewriteRatio = 2
    /// …and at least this many bytes.
    var rewriteMinimumByteCount = 64 * 1024 * 1024
  }

  enum State {
    case idle
    /// A batch is in flight.
    case writing
    /// The log is being cut to its last good end. With a reason, changes are refused; without
    /// one, they wait.
    case repairing(reason: String?)
    /// The repair failed; it is tried again.
    case broken(reason: String)
    /// The disk had too little room for the new log and for changes. Changes are refused until the
    /// rewrite ends.
    case rewriting(reason: String)
    case closed
  }

  let dataDirectory: DataDirectory
  let database: Database
  var configuration: Configuration
  let logger: Logger
  var file: File
  var state = State.idle
  /// The checksums up to the end.
  private(set) var chain: LogChain
  private var isCommitScheduled = false

  /// The end of the log, in bytes; bytes after it are in flight.
  var end: Int64
  /// The end of the last change. Notes may follow it; they need no further note.
  var changeEnd: Int64
  /// How many bytes of the log are certainly on the disk, and how many the log's own notes say are.
  var syncedEnd: Int64
  var notedEnd: Int64 = 0
  var isSyncing = false
  var lastSync = ContinuousClock.now
  var hasReportedFailure = false
  var preallocation = LogPreallocation()

  var rewrite: LogRewrite?
  /// Why the next rewrite refuses changes meanwhile; nil if none is to do that.
  var exclusiveRewriteReason: String?
  /// The size from which the log is rewritten after a rewrite failed.
  var rewriteEnd: Int64 = 0
  var isPaused = false
  var whenIdle: (() -> Void)?

  /// Called when the pending batch goes into flight.
  var onBatchStart: () -> Void = {}
  /// Called when the batch in flight is committed.
  var onCommit: () -> Void = {}
  /// Called when the batches in flight and pending were rolled back, with the error for clients.
  var onFailure: (String) -> Void = { _ in }

  /// - Parameter end: The size of the file, all of which is on the disk.
  init(
    _ file: File, end: Int64, _ chain: LogChain, in dataDirectory: DataDirectory,
    _ database: Database,
    _ configuration: Configuration, _ logger: Logger
  ) {
    self.file = file
    self.end = end
    self.chain = chain
    self.dataDirectory = dataDirectory
    self.database = database
    self.configuration = configuration
    self.logger = logger
    changeEnd = end
    syncedEnd = end
  }

  var loop: EventLoop { dataDirectory.loop }

  // MARK: - Batches

  /// Schedules the pending batch for the next turn, so that it includes what one more look at the
  /// sockets brings, also when a batch has just ended. A small batch costs as much as a large one:
  /// a helper thread wakes up and goes back to sleep.
  func commit() {
    guard case .idle = state, !isPaused, !isCommitScheduled, !database.pendingRecords.isEmpty else {
      return
    }
    isCommitScheduled = true
    loop.schedule(after: .zero) { [self] in
      isCommitScheduled = false
      writeBatch()
    }
  }

  private func writeBatch() {
    guard case .idle = state, !isPaused, !database.pendingRecords.isEmpty else { return }
    database.beginBatch()
    onBatchStart()
    write(takeNote(), database.inFlightRecords) { [self] in
      database.didCommit()
      rewrite?.append(database.inFlightRecords)
      onCommit()
    }
  }

  /// - Parameter whenWritten: Called when both are on the disk or with the kernel, depending on the
  ///   policy. On failure the batches in flight and pending are rolled back instead.
  func write(_ note: Bytes, _ records: Bytes, whenWritten: @escaping () -> Void) {
    let byteCount = note.count + records.count
    let zeros =
      dataDirectory.writesThrough ? preallocation.zeros(after: end + Int64(byteCount)) : nil
    var batch = IOBuffer(capacity: byteCount + (zeros?.count ?? 0))
    unsafe batch.append(note.span.bytes)
    unsafe batch.append(records.span.bytes)
    let sealed = chain.sealing(&batch)
    if let zeros { unsafe batch.append(zeros.span.bytes) }
    state = .writing
    file.write(batch, at: end, syncing: false) { [self] result in
      switch result {
      case .success:
        end += Int64(byteCount)
        chain = sealed
        noteWritten(records)
        state = .idle
        whenWritten()
        resume()
      case .failure(let error) where error.byteCountDone >= byteCount:
        end += Int64(byteCount)
        chain = sealed
        noteWritten(records)
        // Only the preallocation failed. It may have taken the last of the disk.
        repair(reason: nil)
        whenWritten()
      case .failure(let error): fail(error)
      }
    }
  }

  private func noteWritten(_ records: Bytes) {
    hasReportedFailure = false
    if !records.isEmpty { changeEnd = end }
    if dataDirectory.writesThrough { syncedEnd = end }
  }

  func resume() {
    guard case .idle = state else { return }
    if let reason = exclusiveRewriteReason {
      drop(reason: reason)
      repair(reason: reason)
    } else if isPaused, let whenIdle {
      self.whenIdle = nil
      whenIdle()
    } else {
      commit()
    }
  }

  /// Returns a record that notes how much of the log is on the disk, if that is more than the last
  /// note says.
  func takeNote() -> Bytes {
    var note: Bytes = []
    // Without syncs the synced end is unknown, but a hole in the log is still detected.
    let certainEnd = configuration.syncPolicy == .no ? end : syncedEnd
    guard min(certainEnd, changeEnd) > notedEnd else { return note }
    LogRecord.write(.synced, number: certainEnd, to: &note)
    notedEnd = certainEnd
    return note
  }

  // MARK: - The end

  /// Flushes everything to the disk and closes the file. No batch may be pending or in flight.
  func close(_ handler: @escaping () -> Void) {
    rewrite?.abandon()
    guard case .idle = state else {
      state = .closed
      return handler()
    }
    state = .closed
    file.dataSync { [self] result in
      guard case .success = result else { return file.close { _ in handler() } }
      syncedEnd = end
      let note = takeNote()
      guard !note.isEmpty else { return cutPreallocation(handler) }
      var bytes = IOBuffer(copying: note)
      chain = chain.sealing(&bytes)
      file.write(bytes, at: end, syncing: true) { [self] result in
        if case .success = result { end += Int64(note.count) }
        cutPreallocation(handler)
      }
    }
  }

  /// Another file is the log now.
  func follow(_ chain: LogChain) {
    self.chain = chain
  }

  /// If this fails, the next start cuts the preallocation.
  private func cutPreallocation(_ handler: @escaping () -> Void) {
    file.truncate(to: end) { [self] _ in file.close { _ in handler() } }
  }

  /// Whether a batch is pending or in flight, or a new log is about to take over.
  var isBusy: Bool {
    switch state {
    case .idle: isPaused || !database.pendingRecords.isEmpty
    case .writing, .repairing, .rewriting: true
    case .broken, .closed: false
    }
  }
}
