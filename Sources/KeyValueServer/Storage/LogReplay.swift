import Logging
import PosixAIO
import ProgramSupport
import Reactor
import SystemPackage

/// Reads a log from the start and applies its changes. Of the log, it holds one piece and the
/// records of one command in memory.
///
/// It cuts off the part of the last batch that a crash left. An invalid record is damage if a later
/// note says that it was on the disk; then the log is left as it is.
final class LogReplay {
  /// The database, and the log to continue with.
  struct Outcome {
    let database: Database
    let file: File
    let end: Int64
  }

  typealias Handler = (Result<Outcome, StartFailure>) -> Void

  private let dataDirectory: DataDirectory
  private let file: File
  private let logger: Logger
  private let handler: Handler
  private let reader: FileReader
  private var database: Database?

  /// Bytes that were read but not yet used, the offset in the log where they start, and how many of
  /// them have been used since.
  private var bytes: Bytes = []
  private var offset: Int64 = 0
  private var usedCount = 0

  /// The records of an incomplete command.
  private var unfinished: [LogRecord] = []
  /// The offset after the last complete command.
  private var end: Int64 = 0
  /// The offset of the first invalid record.
  private var badOffset: Int64?
  /// The offset after the last byte that is not preallocated.
  private var tornEnd: Int64 = 0
  private var count = 0

  private init(
    _ file: File, _ dataDirectory: DataDirectory, _ logger: Logger, _ handler: @escaping Handler
  ) {
    self.file = file
    self.dataDirectory = dataDirectory
    self.logger = logger
    self.handler = handler
    reader = FileReader(file)
  }

  /// Opens the log of a directory. A missing log is created.
  static func begin(_ dataDirectory: DataDirectory, _ logger: Logger, _ handler: @escaping Handler)
  {
    // A rewritten log that was never renamed is not needed.
    dataDirectory.directory.remove(FilePath(DataDirectory.rewrittenLogName)) { _ in
      dataDirectory.openLog { result in
        switch result {
        case .failure(let error): handler(.failure(StartFailure("\(error)")))
        case .success(let file): LogReplay(file, dataDirectory, logger, handler).readNext()
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
    handler(.failure(StartFailure("\"\(dataDirectory.directory.path)/\(file.path)\": \(text)")))
  }

  // MARK: - Reading

  private func use(isAtEnd: Bool) {
    if database == nil {
      guard bytes.count >= LogHeader.byteCount || isAtEnd else { return readNext() }
      // The header is on the disk before the first record is written.
      if bytes.count < LogHeader.byteCount { return makeNew() }
      guard let salt = unsafe bytes.withUnsafeBytes({ unsafe LogHeader.salt(of: $0.bytes) }) else {
        return fail("this is not an aio-kv log, or its first bytes were changed")
      }
      database = Database(salt: salt)
      usedCount = LogHeader.byteCount
      end = place
    }
    guard let database else { return }
    if badOffset == nil { useRecords(database, isAtEnd: isAtEnd) }
    if let badOffset, isDamaged(database, badOffset, isAtEnd: isAtEnd) {
      return fail(
        "the record at offset \(badOffset) is damaged, but later records are intact; "
          + "restore the file, or truncate it there and lose the rest")
    }
    if isAtEnd { finish(database) } else { readNext() }
  }

  private func next(_ database: Database) -> LogRecord.Reading {
    unsafe bytes.withUnsafeBytes { bytes in
      unsafe LogRecord.read(
        UnsafeRawBufferPointer(rebasing: bytes[usedCount...]).bytes, salt: database.salt)
    }
  }

  /// Applies records up to the first invalid one.
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

  /// Looks for a note that says that the invalid record was on the disk.
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
    let isPreallocated = bytes[usedCount] == 0
    usedCount += 1
    if !isPreallocated { tornEnd = place }
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
    // After any crash there is preallocated space after the last batch.
    if tornEnd > end {
      logger.warning("cut the log's torn end at offset \(end): \(tornEnd - end) bytes")
    }
    file.truncate(to: end) { [self] result in bringToDisk(result) }
  }

  /// Data written before a crash may not be on the disk yet, and clients are about to read it.
  private func bringToDisk(_ result: Result<Void, FileError>) {
    if case .failure(let error) = result { return handler(.failure(StartFailure("\(error)"))) }
    file.dataSync { [self] result in
      if case .failure(let error) = result { return handler(.failure(StartFailure("\(error)"))) }
      dataDirectory.directory.sync { [self] result in
        if case .failure(let error) = result {
          return handler(.failure(StartFailure("\(error)")))
        }
        guard let database else { return }
        handler(.success(Outcome(database: database, file: file, end: end)))
      }
    }
  }
}
