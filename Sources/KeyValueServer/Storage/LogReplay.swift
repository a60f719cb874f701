import Logging
import PosixAIO
import ProgramSupport
import Reactor
import SystemPackage

/// Reads a log from its beginning and makes the changes that stand in it, with no more of it in
/// memory than a record takes.
///
/// What a crash has left of the last batch is cut off. A record that is not as it was written is
/// something else if what comes behind says that it was on the disk: then the log is left as it is.
final class LogReplay {
  /// What came of it.
  struct Outcome {
    let database: Database
    let file: File
    let end: Int64
  }

  typealias Handler = (Result<Outcome, StartFailure>) -> Void

  private let folder: DataFolder
  private let file: File
  private let logger: Logger
  private let handler: Handler
  private let reader: FileReader
  private var database: Database?

  /// What was read and not used yet, and where it begins, and how much of it is used since.
  private var bytes: Bytes = []
  private var offset: Int64 = 0
  private var usedCount = 0

  /// The records of a command that is not complete.
  private var unfinished: [LogRecord] = []
  /// Behind the last complete command.
  private var end: Int64 = 0
  /// Of the first record that is none.
  private var badOffset: Int64?
  /// Behind the last byte that is not of a reserve.
  private var tornEnd: Int64 = 0
  private var count = 0

  private init(_ file: File, _ folder: DataFolder, _ logger: Logger, _ handler: @escaping Handler) {
    self.file = file
    self.folder = folder
    self.logger = logger
    self.handler = handler
    reader = FileReader(file)
  }

  /// Opens the log of a folder, an empty one if there is none.
  static func begin(_ folder: DataFolder, _ logger: Logger, _ handler: @escaping Handler) {
    // A rewritten log that did not get its name is not needed.
    folder.directory.remove(FilePath(DataFolder.rewrittenLogName)) { _ in
      folder.openLog { result in
        switch result {
        case .failure(let error): handler(.failure(StartFailure("\(error)")))
        case .success(let file): LogReplay(file, folder, logger, handler).readNext()
        }
      }
    }
  }

  private func readNext() {
    reader.next { [self] result in
      switch consume result {
      case .failure(let error): handler(.failure(StartFailure("\(error)")))
      case .success(nil):
        use(isAtEnd: true)
      case .success(let chunk?):
        bytes.removeFirst(usedCount)
        offset += Int64(usedCount)
        usedCount = 0
        chunk.withBytes { chunk in unsafe chunk.withUnsafeBytes { unsafe bytes += $0 } }
        reader.recycle(chunk)
        use(isAtEnd: false)
      }
    }
  }

  private var place: Int64 { offset + Int64(usedCount) }

  private func fail(_ text: String) {
    handler(.failure(StartFailure("\"\(folder.directory.path)/\(file.path)\": \(text)")))
  }

  // MARK: - Reading

  private func use(isAtEnd: Bool) {
    if database == nil {
      guard bytes.count >= LogHeader.byteCount || isAtEnd else { return readNext() }
      // A header is on the disk before the first record is written.
      if bytes.count < LogHeader.byteCount { return makeNew() }
      guard let salt = unsafe bytes.withUnsafeBytes({ unsafe LogHeader.salt(of: $0.bytes) }) else {
        return fail("this is not a log of aio-kv, or its first bytes were changed")
      }
      database = Database(salt: salt)
      usedCount = LogHeader.byteCount
      end = place
    }
    guard let database else { return }
    if badOffset == nil { useRecords(database, isAtEnd: isAtEnd) }
    if let badOffset, isDamaged(database, badOffset, isAtEnd: isAtEnd) {
      return fail(
        "the record at offset \(badOffset) is damaged, and records behind it are not; "
          + "restore the file, or cut it there to lose what follows")
    }
    if isAtEnd { finish(database) } else { readNext() }
  }

  private func next(_ database: Database) -> LogRecord.Reading {
    unsafe bytes.withUnsafeBytes { bytes in
      unsafe LogRecord.read(
        UnsafeRawBufferPointer(rebasing: bytes[usedCount...]).bytes, salt: database.salt)
    }
  }

  /// Uses records up to one that is none.
  private func useRecords(_ database: Database, isAtEnd: Bool) {
    while usedCount < bytes.count {
      switch next(database) {
      case .record(let record, let byteCount):
        usedCount += byteCount
        tornEnd = place
        unfinished.append(record)
        guard !record.isContinued else { continue }
        for record in unfinished { database.replay(record) }
        count += unfinished.count
        unfinished.removeAll(keepingCapacity: true)
        end = place
      case .incomplete where !isAtEnd: return
      case .incomplete, .invalid:
        badOffset = place
        return
      }
    }
  }

  /// Looks for a record that says that the bad one was on the disk.
  private func isDamaged(_ database: Database, _ badOffset: Int64, isAtEnd: Bool) -> Bool {
    while usedCount < bytes.count {
      switch next(database) {
      case .record(let record, let byteCount):
        if record.kind == .synced, record.number > badOffset { return true }
        usedCount += byteCount
        tornEnd = place
      case .incomplete where !isAtEnd: return false
      case .incomplete, .invalid: skipByte()
      }
    }
    return false
  }

  private func skipByte() {
    let isOfReserve = bytes[usedCount] == 0
    usedCount += 1
    if !isOfReserve { tornEnd = place }
  }

  // MARK: - The end

  private func makeNew() {
    let salt = UInt32.random(in: .min ... .max)
    let header = LogHeader.bytes(salt: salt)
    database = Database(salt: salt)
    end = Int64(header.count)
    file.truncate(to: 0) { [self] result in
      if case .failure(let error) = result { return handler(.failure(StartFailure("\(error)"))) }
      file.write(IOBuffer(copying: header), at: 0, syncing: true) { [self] result in
        bringToDisk(result)
      }
    }
  }

  private func finish(_ database: Database) {
    let byteCount = place
    logger.info("read \(count) records: \(database.keyspace.count) keys")
    guard byteCount > end else { return bringToDisk(.success(())) }
    // After any crash there is a reserve behind the last batch.
    if tornEnd > end {
      logger.warning("cut the log's torn end at offset \(end): \(tornEnd - end) bytes")
    }
    file.truncate(to: end) { [self] result in bringToDisk(result) }
  }

  /// What was written before a crash may not be on the disk, and clients are about to be told of
  /// it.
  private func bringToDisk(_ result: Result<Void, FileError>) {
    if case .failure(let error) = result { return handler(.failure(StartFailure("\(error)"))) }
    file.dataSync { [self] result in
      if case .failure(let error) = result { return handler(.failure(StartFailure("\(error)"))) }
      folder.directory.sync { [self] result in
        if case .failure(let error) = result {
          return handler(.failure(StartFailure("\(error)")))
        }
        guard let database else { return }
        handler(.success(Outcome(database: database, file: file, end: end)))
      }
    }
  }
}
