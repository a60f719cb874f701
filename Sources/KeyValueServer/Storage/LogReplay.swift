import Logging
import PosixAIO
import ProgramSupport
import Reactor
import SystemPackage

/// Reads a log from the start and applies its changes. Of the log, it holds one piece and the
/// records of one command in memory.
///
/// It cuts off the part of the last batch that a crash left. An invalid record is damage if a later
/// note says that it was on the disk; a valid one, if it does not follow the one before it. Then
/// the log is left as it is. The time is proportional to the size of the log, also if it is
/// damaged.
final class LogReplay {
  /// The database, and the log to continue with.
  struct Outcome {
    let database: Database
    let file: File
    let end: Int64
    let chain: LogChain
  }

  typealias Handler = (Result<Outcome, StartFailure>) -> Void

  private let dataDirectory: DataDirectory
  private let file: File
  private let logger: Logger
  private let handler: Handler
  private let reader: FileReader
  private let database = Database()
  /// The checksums of all records so far; nil before the header.
  private var chain: LogChain?
  /// Those up to ``end``.
  private var endChain: LogChain?

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
    if chain == nil {
      guard bytes.count >= LogHeader.byteCount || isAtEnd else { return readNext() }
      // The header is on the disk before the first record is written.
      if bytes.count < LogHeader.byteCount { return makeNew() }
      guard let header = unsafe LogHeader(bytes.span.bytes) else {
        return fail("this is not an aio-kv log, or its first bytes were changed")
      }
      chain = LogChain(header)
      usedCount = LogHeader.byteCount
      end = place
      endChain = chain
    }
    guard var chain else { return }
    if badOffset == nil, let wrong = useRecords(&chain, isAtEnd: isAtEnd) {
      return fail(
        "the record at offset \(wrong) is damaged: it does not follow the one before it; "
          + "restore the file, or truncate it there and lose the rest")
    }
    self.chain = chain
    if let badOffset, isDamaged(chain.header, badOffset, isAtEnd: isAtEnd) {
      return fail(
        "the record at offset \(badOffset) is damaged, but later records are intact; "
          + "restore the file, or truncate it there and lose the rest")
    }
    if isAtEnd { finish() } else { readNext() }
  }

  private func next(_ header: LogHeader) -> LogRecord.Reading {
    unsafe bytes.withUnsafeBytes { bytes in
      unsafe LogRecord.read(
        UnsafeRawBufferPointer(rebasing: bytes[usedCount...]).bytes, header)
    }
  }

  /// Applies records up to the first invalid one.
  ///
  /// - Returns: The offset of a record that belongs elsewhere; nil if there is none.
  private func useRecords(_ chain: inout LogChain, isAtEnd: Bool) -> Int64? {
    while usedCount < bytes.count {
      switch next(chain.header) {
      case .record(let record, let frame):
        // A note cannot come before bytes that were on the disk before it.
        guard chain.advance(to: frame), record.kind != .synced || record.number <= place else {
          return place
        }
        usedCount += frame.byteCount
        tornEnd = place
        unfinished.append(record)
        guard !record.isContinued else { continue }
        for record in unfinished { database.replay(record) }
        count += unfinished.count
        unfinished.removeAll(keepingCapacity: true)
        end = place
        endChain = chain
      case .incomplete where !isAtEnd: return nil
      case .incomplete, .invalid:
        badOffset = place
        return nil
      }
    }
    return nil
  }

  /// Looks for a note that says that the invalid record was on the disk, at every byte: any other
  /// record may be a part of a value.
  private func isDamaged(_ header: LogHeader, _ badOffset: Int64, isAtEnd: Bool) -> Bool {
    let start = usedCount
    let found = unsafe bytes.withUnsafeBytes { bytes in
      while usedCount + header.noteByteCount <= bytes.count {
        let note = unsafe UnsafeRawBufferPointer(
          rebasing: bytes[usedCount..<usedCount + header.noteByteCount])
        if unsafe LogRecord.isNote(note.bytes, header, beyond: badOffset) { return true }
        usedCount += 1
      }
      return false
    }
    if isAtEnd { usedCount = bytes.count }
    if let last = bytes[start..<usedCount].lastIndex(where: { $0 != 0 }) {
      tornEnd = offset + Int64(last) + 1
    }
    return found
  }

  // MARK: - The end

  private func makeNew() {
    let header = LogHeader.new()
    endChain = LogChain(header)
    end = Int64(LogHeader.byteCount)
    file.truncate(to: 0) { [self] result in
      if case .failure(let error) = result { return handler(.failure(StartFailure("\(error)"))) }
      file.write(IOBuffer(copying: header.bytes), at: 0, syncing: true) { [self] result in
        bringToDisk(result)
      }
    }
  }

  private func finish() {
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
        guard let endChain else { return }
        handler(.success(Outcome(database: database, file: file, end: end, chain: endChain)))
      }
    }
  }
}
