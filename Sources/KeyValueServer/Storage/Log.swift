import Logging
import PosixAIO
import Reactor
import SystemPackage

/// When changes are brought to the disk.
enum SyncPolicy: String {
  /// Before they are acknowledged.
  case always
  /// Once a second.
  case everysec
  /// When the kernel likes to.
  case no
}

/// The file in which every change stands before it is acknowledged.
///
/// Changes gather in the database while one batch of them is written and synced; then they are the
/// next batch. What others wait for the disk costs nobody anything, so syncs merge by themselves.
final class Log {
  struct Configuration {
    var syncPolicy = SyncPolicy.always
    /// The log is rewritten when it is so many times what a new one would take…
    var rewriteRatio = 2
    /// …and has at least so many bytes.
    var rewriteMinimumByteCount = 64 * 1024 * 1024
  }

  enum State {
    case idle
    /// A batch is on its way.
    case writing
    /// The log is being brought back to where it was. Changes are refused, if there is a reason,
    /// and wait otherwise.
    case repairing(reason: String?)
    /// That did not work, and is tried again.
    case broken(reason: String)
    case closed
  }

  let folder: DataFolder
  let database: Database
  let configuration: Configuration
  let logger: Logger
  var file: File
  var state = State.idle
  private var isCommitScheduled = false

  /// Where the log ends, in bytes; what is behind it is on its way.
  var end: Int64
  /// Where its last change ends: what follows are notes, which are not worth another one.
  var changeEnd: Int64
  /// How much of the log is on the disk for certain, and how much of it the log itself says is.
  var syncedEnd: Int64
  var notedEnd: Int64 = 0
  var isSyncing = false
  var lastSync = ContinuousClock.now
  var hasReportedFailure = false
  var reserve = LogReserve()

  var rewrite: LogRewrite?
  /// Where a log must end to be rewritten after that has failed.
  var rewriteEnd: Int64 = 0
  var isHeld = false
  var whenIdle: (() -> Void)?

  /// The gathered changes are on their way.
  var onFlight: () -> Void = {}
  /// What was on its way is settled.
  var onSettled: () -> Void = {}
  /// Nothing that was on its way or gathered will ever be: the reason, as clients are told.
  var onFailed: (String) -> Void = { _ in }

  /// - Parameter end: Of the file, all of which is on the disk.
  init(
    _ file: File, end: Int64, in folder: DataFolder, _ database: Database,
    _ configuration: Configuration, _ logger: Logger
  ) {
    self.file = file
    self.end = end
    self.folder = folder
    self.database = database
    self.configuration = configuration
    self.logger = logger
    changeEnd = end
    syncedEnd = end
  }

  var loop: EventLoop { folder.loop }

  // MARK: - Batches

  /// Has what is gathered written, in one batch with all that clients have sent by then: behind one
  /// more look at the sockets, also when a batch has just ended. A small batch costs a helper
  /// thread's waking up and falling asleep as a large one does.
  func commit() {
    guard case .idle = state, !isHeld, !isCommitScheduled, !database.records.isEmpty else { return }
    isCommitScheduled = true
    loop.schedule(after: .zero) { [self] in
      isCommitScheduled = false
      writeBatch()
    }
  }

  private func writeBatch() {
    guard case .idle = state, !isHeld, !database.records.isEmpty else { return }
    database.beginFlight()
    onFlight()
    write(takeNote(), database.flight) { [self] in
      rewrite?.carry(database.flight)
      database.settle()
      onSettled()
    }
  }

  /// - Parameter whenWritten: Called when both are on the disk, or with the kernel, as the policy
  ///   says. If they cannot be written, what is in flight and gathering has failed.
  func write(_ note: Bytes, _ records: Bytes, whenWritten: @escaping () -> Void) {
    let byteCount = note.count + records.count
    let zeros = folder.writesThrough ? reserve.zeros(behind: end + Int64(byteCount)) : nil
    var batch = IOBuffer(capacity: byteCount + (zeros?.count ?? 0))
    unsafe batch.append(note.span.bytes)
    unsafe batch.append(records.span.bytes)
    if let zeros { unsafe batch.append(zeros.span.bytes) }
    state = .writing
    file.write(batch, at: end, syncing: false) { [self] result in
      switch result {
      case .success:
        end += Int64(byteCount)
        noteWritten(records)
        state = .idle
        whenWritten()
        goOn()
      case .failure(let error) where error.byteCountDone >= byteCount:
        end += Int64(byteCount)
        noteWritten(records)
        // What failed is the reserve, which may have taken the last of the disk.
        repair(reason: nil)
        whenWritten()
      case .failure(let error): fail(error)
      }
    }
  }

  private func noteWritten(_ records: Bytes) {
    hasReportedFailure = false
    if !records.isEmpty { changeEnd = end }
    if folder.writesThrough { syncedEnd = end }
  }

  func goOn() {
    guard case .idle = state else { return }
    if isHeld, let whenIdle {
      self.whenIdle = nil
      whenIdle()
    } else {
      commit()
    }
  }

  /// The record that says how much is on the disk, if that is more than the log says.
  func takeNote() -> Bytes {
    var note: Bytes = []
    // Without syncs nothing is known, and a hole in the log is to be noticed all the same.
    let certainEnd = configuration.syncPolicy == .no ? end : syncedEnd
    guard min(certainEnd, changeEnd) > notedEnd else { return note }
    LogRecord.write(.synced, number: certainEnd, salt: database.salt, to: &note)
    notedEnd = certainEnd
    return note
  }

  // MARK: - The end

  /// Brings everything to the disk and closes the file. Nothing is gathered nor on its way.
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
      guard !note.isEmpty else { return cutReserve(handler) }
      file.write(IOBuffer(copying: note), at: end, syncing: true) { [self] result in
        if case .success = result { end += Int64(note.count) }
        cutReserve(handler)
      }
    }
  }

  /// What it cannot cut now, the next start does.
  private func cutReserve(_ handler: @escaping () -> Void) {
    file.truncate(to: end) { [self] _ in file.close { _ in handler() } }
  }

  /// Whether something is gathered or on its way, or a new log about to take over.
  var isBusy: Bool {
    switch state {
    case .idle: isHeld || !database.records.isEmpty
    case .writing, .repairing: true
    case .broken, .closed: false
    }
  }
}
