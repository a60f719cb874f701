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

  private enum State {
    case idle
    /// A batch is on its way.
    case writing
    /// The log could not be written, and is being brought back to where it was.
    case repairing(reason: String)
    /// That did not work, and is tried again.
    case broken(reason: String)
    case closed
  }

  let folder: DataFolder
  let database: Database
  let configuration: Configuration
  let logger: Logger
  private var file: File
  private var state = State.idle
  private var isCommitScheduled = false

  /// Where the log ends, in bytes; what is behind it is on its way.
  private(set) var end: Int64
  /// How much of that is on the disk for certain, and how much of it the log itself says is.
  private var syncedEnd: Int64
  private var notedEnd: Int64 = 0
  private var isSyncing = false
  private var lastSync = ContinuousClock.now
  private var hasReportedFailure = false

  private(set) var rewrite: LogRewrite?
  /// Where a log must end to be rewritten after that has failed.
  private var rewriteEnd: Int64 = 0
  private var isHeld = false
  private var whenIdle: (() -> Void)?

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
    syncedEnd = end
  }

  var loop: EventLoop { folder.loop }

  /// Why changes are refused at present, as clients are told.
  var refusal: String? {
    switch state {
    case .idle, .writing: nil
    case .repairing(let reason), .broken(let reason): Self.refusal(reason)
    case .closed: Self.refusal("the server is ending")
    }
  }

  private static func refusal(_ reason: String) -> String {
    "MISCONF The log cannot be written: \(reason). Writes are refused, reads go on."
  }

  // MARK: - Batches

  /// Has what is gathered written: all that the clients of this turn want, in one batch.
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
    let records = database.records
    let batch = takeNote() + records
    state = .writing
    database.beginFlight()
    onFlight()
    file.append(batch, syncing: false) { [self] result in
      switch result {
      case .failure(let error): fail(error)
      case .success:
        end += Int64(batch.count)
        if folder.writesThrough { syncedEnd = end }
        rewrite?.carry(records)
        settle()
      }
    }
  }

  private func settle() {
    hasReportedFailure = false
    state = .idle
    database.settle()
    onSettled()
    goOn()
  }

  private func goOn() {
    guard case .idle = state else { return }
    if isHeld, let whenIdle {
      self.whenIdle = nil
      whenIdle()
    } else {
      writeBatch()
    }
  }

  /// The record that says how much is on the disk, if that is more than the log says.
  private func takeNote() -> Bytes {
    var note: Bytes = []
    // Without syncs nothing is known, and a hole in the log is to be noticed all the same.
    let certainEnd = configuration.syncPolicy == .no ? end : syncedEnd
    guard certainEnd > notedEnd else { return note }
    LogRecord.write(.synced, number: certainEnd, salt: database.salt, to: &note)
    notedEnd = certainEnd
    return note
  }

  // MARK: - Failures

  private func fail(_ error: FileError) {
    if !hasReportedFailure { logger.error("the log cannot be written: \(error)") }
    hasReportedFailure = true
    rewrite?.abandon()
    database.revert()
    state = .broken(reason: "\(error.errno)")
    onFailed(Self.refusal("\(error.errno)"))
    repair()
  }

  /// Cuts off what was written of the failed batch. A file of which a sync has failed is opened
  /// anew:
  /// the kernel tells that only once, and forgets what it could not write.
  private func repair() {
    guard case .broken(let reason) = state else { return }
    state = .repairing(reason: reason)
    file.close()
    folder.openLog { [self] result in
      switch result {
      case .failure(let error): repairFailed(error)
      case .success(let file): repair(file, reason)
      }
    }
  }

  private func repair(_ file: File, _ reason: String) {
    self.file = file
    file.truncateOrFail(to: end) { [self] result in
      if case .failure(let error) = result { return repairFailed(error) }
      file.syncOrFail { [self] result in
        if case .failure(let error) = result { return repairFailed(error) }
        folder.directory.syncOrFail { [self] result in
          if case .failure(let error) = result { return repairFailed(error) }
          // The note may be what there was no room for.
          notedEnd = end
          syncedEnd = end
          state = .idle
          goOn()
        }
      }
    }
  }

  /// It is tried again with the next ``tick()``.
  private func repairFailed(_ error: FileError) {
    logger.error("the log cannot be repaired: \(error)")
    state = .broken(reason: "\(error.errno)")
  }

  // MARK: - From time to time

  private static let syncInterval = Duration.seconds(1)

  /// Called a few times a second.
  func tick() {
    if configuration.syncPolicy == .everysec, ContinuousClock.now - lastSync >= Self.syncInterval {
      lastSync = .now
      syncInBackground()
    }
    switch state {
    case .idle: noteWhenIdle()
    case .broken: repair()
    case .writing, .repairing, .closed: break
    }
    rewriteIfDue()
  }

  private func syncInBackground() {
    guard refusal == nil, !isSyncing, syncedEnd < end else { return }
    isSyncing = true
    let (target, file) = (end, file)
    file.syncOrFail { [self] result in
      isSyncing = false
      // Another file has taken its place, and is on the disk.
      guard file === self.file else { return }
      switch (result, state) {
      case (.success, _): syncedEnd = max(syncedEnd, target)
      case (.failure(let error), .idle), (.failure(let error), .writing):
        // The file gives every later append's sync the same error; what the disk lacks is written
        // anew, from memory.
        logger.error("the log cannot be synced: \(error)")
        rewriteEnd = 0
        beginRewrite()
      case (.failure, _): break
      }
    }
  }

  /// So that all of a log is known to be on the disk when nothing happens for a while.
  private func noteWhenIdle() {
    guard !isHeld, database.records.isEmpty else { return }
    let note = takeNote()
    guard !note.isEmpty else { return }
    state = .writing
    file.append(note, syncing: false) { [self] result in
      switch result {
      case .failure(let error): fail(error)
      case .success:
        end += Int64(note.count)
        state = .idle
        goOn()
      }
    }
  }

  // MARK: - Rewriting

  private func rewriteIfDue() {
    let ratio = Int64(configuration.rewriteRatio)
    guard end >= Int64(configuration.rewriteMinimumByteCount), end >= rewriteEnd,
      end / ratio >= Int64(database.keyspace.byteCount)
    else { return }
    beginRewrite()
  }

  /// - Throws: If the log is being rewritten, or cannot be.
  func startRewrite() throws(CommandError) {
    if let refusal { throw CommandError(refusal) }
    guard rewrite == nil else {
      throw CommandError("ERR Background append only file rewriting already in progress")
    }
    beginRewrite()
  }

  private func beginRewrite() {
    guard rewrite == nil, refusal == nil else { return }
    logger.info("rewriting the log of \(end) bytes")
    let rewrite = LogRewrite(of: self)
    self.rewrite = rewrite
    rewrite.start()
  }

  /// Lets no more batches go, and calls when none is on its way.
  func hold(_ whenIdle: @escaping () -> Void) {
    isHeld = true
    if case .idle = state {
      whenIdle()
    } else {
      self.whenIdle = whenIdle
    }
  }

  /// - Parameters:
  ///   - replacement: What stands under the log's name now; nil if that is still the old log.
  ///   - error: What keeps it from being all right.
  func rewriteEnded(_ replacement: (file: File, end: Int64)?, _ error: FileError?) {
    rewrite = nil
    isHeld = false
    whenIdle = nil
    rewriteEnd = end * 2
    if let replacement {
      let old = file
      file = replacement.file
      logger.info("rewrote the log from \(end) to \(replacement.end) bytes")
      end = replacement.end
      syncedEnd = end
      notedEnd = 0
      rewriteEnd = 0
      old.close()
      // Nobody knows which of the two would be there after a crash.
      if let error { return fail(error) }
    } else if let error {
      logger.error("the log cannot be rewritten: \(error)")
    }
    goOn()
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
    file.syncOrFail { [self] result in
      guard case .success = result else { return file.close { _ in handler() } }
      syncedEnd = end
      let note = takeNote()
      guard !note.isEmpty else { return file.close { _ in handler() } }
      file.append(note, syncing: true) { [self] _ in file.close { _ in handler() } }
    }
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
