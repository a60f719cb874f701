import PosixAIO
import Reactor
import SystemPackage

/// Writes a new log with only the live data, while the old one stays in use.
///
/// The new log gets the committed value of each key, a piece at a time, followed by every batch
/// that is committed meanwhile. At the end no batch starts while the last piece is written, the new
/// log is synced and renamed, and the directory is synced. So the log's name always refers to one
/// complete log, which holds everything that was acknowledged.
final class LogRewrite {
  private static let pieceByteCount = 256 * 1024
  private static let shardsPerPiece = 1000
  /// The most bytes that may be left to write while no batch starts.
  private static let lastPieceByteCount = 256 * 1024
  /// How many times to catch up before pausing batches with more left.
  private static let catchUpLimit = 8

  private unowned let log: Log
  private let database: Database
  private let dataDirectory: DataDirectory
  private var file: File?
  private var shard = 0
  private var appended: Bytes = []
  private var end: Int64 = 0
  private var chain = LogChain(.new())
  private var catchUpCount = 0
  private var isEnded = false
  private var isOpening = false
  /// Why it has ended early; nil if it was abandoned.
  private var failure: FileError?
  /// Whether to go on when the next batch is committed.
  private var waitsForBatch = false

  init(of log: Log) {
    self.log = log
    database = log.database
    dataDirectory = log.dataDirectory
  }

  func start() {
    isOpening = true
    dataDirectory.openLog(DataDirectory.rewrittenLogName, options: .truncate) { [self] result in
      isOpening = false
      switch result {
      case .failure where isEnded: removeFile()
      case .failure(let error): end(error)
      case .success(let file) where isEnded:
        file.close()
        removeFile()
      case .success(let file):
        self.file = file
        writeNext()
      }
    }
  }

  /// Adds a committed batch.
  func append(_ records: Bytes) {
    appended += records
    guard waitsForBatch else { return }
    waitsForBatch = false
    catchUp()
  }

  /// Keeps the old log and removes the new one.
  func abandon() {
    end(nil)
  }

  // MARK: - The steps

  private func writeNext() {
    var piece = takeAppended()
    let last = min(shard + Self.shardsPerPiece, Keyspace.shardCount)
    while piece.count < Self.pieceByteCount, shard < last {
      database.writeCommitted(shard: shard, to: &piece)
      shard += 1
    }
    let isComplete = shard == Keyspace.shardCount
    write(piece, syncing: isComplete) { [self] in
      if isComplete { catchUp() } else { writeNext() }
    }
  }

  private func catchUp() {
    catchUpCount += 1
    if appended.count > Self.lastPieceByteCount, catchUpCount <= Self.catchUpLimit {
      return write(takeAppended(), syncing: true) { [self] in catchUp() }
    }
    log.pauseBatches { [self] in finish() }
  }

  /// No batch is in flight now, and none starts.
  private func finish() {
    guard !isEnded else { return }
    guard !database.isRemovingAll else {
      // The committed keys may be many, and when that batch is committed, none is needed.
      waitsForBatch = true
      return log.continueBatches()
    }
    var piece = takeAppended()
    database.writeCommittedValuesOfPendingKeys(to: &piece)
    write(piece, syncing: true) { [self] in
      dataDirectory.directory.rename(
        FilePath(DataDirectory.rewrittenLogName), to: FilePath(DataDirectory.logName)
      ) { [self] result in
        if case .failure(let error) = result { return end(error) }
        dataDirectory.directory.sync { [self] result in
          guard let file else { return }
          var failure: FileError?
          if case .failure(let error) = result { failure = error }
          log.rewriteEnded((file, end, chain), failure)
        }
      }
    }
  }

  private func takeAppended() -> Bytes {
    defer { appended = [] }
    return appended
  }

  private func write(_ piece: Bytes, syncing: Bool, _ next: @escaping () -> Void) {
    guard let file else { return }
    let header = end == 0 ? chain.header.bytes : []
    let byteCount = header.count + piece.count
    var bytes = IOBuffer(capacity: byteCount)
    unsafe bytes.append(header.span.bytes)
    unsafe bytes.append(piece.span.bytes)
    chain = chain.sealing(&bytes, after: header.count)
    file.write(bytes, at: end, syncing: syncing) { [self] result in
      guard self.file != nil else { return }
      if case .failure(let error) = result { return end(error) }
      end += Int64(byteCount)
      next()
    }
  }

  private func end(_ error: FileError?) {
    guard !isEnded else { return }
    isEnded = true
    failure = error
    // It closes when its last operation has ended.
    file?.close()
    file = nil
    // A file that is opened later would be truncated, which could be that of the next rewrite.
    if !isOpening { removeFile() }
  }

  /// The next rewrite begins with a file of its own.
  private func removeFile() {
    dataDirectory.directory.remove(FilePath(DataDirectory.rewrittenLogName)) { [self] _ in
      log.rewriteEnded(nil, failure)
    }
  }
}
