import PosixAIO
import Reactor
import SystemPackage

/// Writes a log anew that holds only what is there, while the old one goes on to be used.
///
/// The new log gets what each key stands for in the settled state, a piece at a time, and behind it
/// every batch that is settled meanwhile. At the end no batch goes out for as long as the last of
/// them is written, the new log synced and renamed, and the folder synced: at any moment there is
/// one whole log under the name, which holds all that was acknowledged.
final class LogRewrite {
  private static let pieceByteCount = 256 * 1024
  private static let placesPerPiece = 10_000
  /// What may be left for the time in which no batch goes out, in bytes.
  private static let lastPieceByteCount = 256 * 1024
  /// How often that is tried before it is done with more.
  private static let catchUpLimit = 8

  private unowned let log: Log
  private let database: Database
  private let folder: DataFolder
  private var file: File?
  private var place = 0
  private var carried: Bytes
  private var end: Int64 = 0
  private var catchUpCount = 0
  private var isEnded = false

  init(of log: Log) {
    self.log = log
    database = log.database
    folder = log.folder
    carried = LogHeader.bytes(salt: database.salt)
  }

  func start() {
    folder.openLog(DataFolder.rewrittenLogName, options: .truncate) { [self] result in
      switch result {
      case .failure(let error): end(error)
      case .success(let file) where isEnded: file.close()
      case .success(let file):
        self.file = file
        writeNext()
      }
    }
  }

  /// Adds a batch that was settled.
  func carry(_ records: Bytes) {
    carried += records
  }

  /// The old log is used on, and the new one goes.
  func abandon() {
    end(nil)
  }

  // MARK: - The steps

  private func writeNext() {
    var piece = takeCarried()
    let lastPlace = place + Self.placesPerPiece
    while piece.count < Self.pieceByteCount, place < min(lastPlace, database.keyspace.placeCount) {
      database.writeSettled(place: place, to: &piece)
      place += 1
    }
    let isComplete = place >= database.keyspace.placeCount
    append(piece, syncing: isComplete) { [self] in
      if isComplete { catchUp() } else { writeNext() }
    }
  }

  private func catchUp() {
    catchUpCount += 1
    if carried.count > Self.lastPieceByteCount, catchUpCount <= Self.catchUpLimit {
      return append(takeCarried(), syncing: true) { [self] in catchUp() }
    }
    log.hold { [self] in finish() }
  }

  /// No batch is on its way now, and none goes out.
  private func finish() {
    var piece = takeCarried()
    database.writeSettledOfGathering(to: &piece)
    append(piece, syncing: true) { [self] in
      folder.directory.rename(
        FilePath(DataFolder.rewrittenLogName), to: FilePath(DataFolder.logName)
      ) { [self] result in
        if case .failure(let error) = result { return end(error) }
        folder.directory.sync { [self] result in
          guard let file else { return }
          var failure: FileError?
          if case .failure(let error) = result { failure = error }
          log.rewriteEnded((file, end), failure)
        }
      }
    }
  }

  private func takeCarried() -> Bytes {
    defer { carried = [] }
    return carried
  }

  private func append(_ piece: Bytes, syncing: Bool, _ next: @escaping () -> Void) {
    guard let file else { return }
    file.write(IOBuffer(copying: piece), at: end, syncing: syncing) { [self] result in
      guard self.file != nil else { return }
      if case .failure(let error) = result { return end(error) }
      end += Int64(piece.count)
      next()
    }
  }

  private func end(_ error: FileError?) {
    guard !isEnded else { return }
    isEnded = true
    // It closes when nothing is under way with it.
    file?.close()
    file = nil
    folder.directory.remove(FilePath(DataFolder.rewrittenLogName))
    log.rewriteEnded(nil, error)
  }
}
