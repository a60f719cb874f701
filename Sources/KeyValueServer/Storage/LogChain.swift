import PosixAIO

/// The first bytes of a log: its format and its salt.
struct LogHeader: Equatable {
  enum Format: UInt8 {
    /// Each record has a checksum of its own.
    case separate = 1
    /// Each record also has the checksum of the record before. New logs have this format.
    case chained = 2
  }

  let format: Format
  let salt: UInt32

  static let byteCount = 24

  /// The header of a new log.
  static func new() -> LogHeader {
    LogHeader(format: .chained, salt: .random(in: .min ... .max))
  }

  init(format: Format = .chained, salt: UInt32) {
    self.format = format
    self.salt = salt
  }

  /// - Returns: Nil if the bytes do not begin with a valid header.
  init?(_ bytes: RawSpan) {
    guard bytes.byteCount >= Self.byteCount,
      let format = Format(rawValue: bytes[11] &- UInt8(ascii: "0"))
    else { return nil }
    self.init(format: format, salt: bytes.number(at: 16, UInt32.self))
    guard bytes.copy(0..<Self.byteCount) == self.bytes else { return nil }
  }

  var bytes: Bytes {
    var bytes = Bytes("aio-kv log \(format.rawValue)\n\0\0\0".utf8)
    bytes.appendNumber(salt)
    bytes.appendNumber(unsafe CRC32C.checksum(bytes.span.bytes))
    return bytes
  }

  /// The checksum of the header itself.
  var checksum: UInt32 { unsafe bytes.span.bytes.number(at: 20, UInt32.self) }

  /// The bytes before the body of a record.
  var recordHeaderByteCount: Int {
    format == .separate ? 8 : LogRecord.headerByteCount
  }

  /// The bytes of a record that notes how much of the log is on the disk.
  var noteByteCount: Int { recordHeaderByteCount + LogRecord.smallestBodyByteCount }

  /// The checksum of a record: of everything but the place of the checksum.
  func checksum(ofRecord record: RawSpan) -> UInt32 {
    let length = CRC32C.checksum(record.extracting(0..<4), seed: salt)
    return CRC32C.checksum(record.extracting(8..<record.byteCount), seed: length)
  }
}

/// The checksums of a log's records, each with that of the record before. So records that are
/// missing, doubled or exchanged are found, although each is valid.
struct LogChain {
  let header: LogHeader
  /// The checksum of the last record, or of the header.
  private var last: UInt32

  init(_ header: LogHeader) {
    self.header = header
    last = header.checksum
  }

  /// Adds the checksums to records that are about to be written after all others. The format is
  /// ``LogHeader/Format/chained``.
  private mutating func seal(_ records: UnsafeMutableRawBufferPointer) {
    var offset = 0
    while offset < records.count {
      let length = unsafe Int(
        UInt32(littleEndian: records.loadUnaligned(fromByteOffset: offset, as: UInt32.self)))
      let end = offset + LogRecord.headerByteCount + length
      let record = unsafe UnsafeMutableRawBufferPointer(rebasing: records[offset..<end])
      unsafe record.store(last, at: 8)
      last = unsafe header.checksum(ofRecord: UnsafeRawBufferPointer(record).bytes)
      unsafe record.store(last, at: 4)
      offset = end
    }
  }

  /// Adds the checksums to the records in a buffer.
  ///
  /// - Parameter offset: Where the records begin.
  /// - Returns: The chain with these records.
  func sealing(_ bytes: inout IOBuffer, after offset: Int = 0) -> LogChain {
    var sealed = self
    bytes.withMutableBytes { bytes in
      unsafe bytes.withUnsafeMutableBytes { bytes in
        unsafe sealed.seal(UnsafeMutableRawBufferPointer(rebasing: bytes[offset...]))
      }
    }
    return sealed
  }

  /// Goes on to the next record of a log that is read.
  ///
  /// - Returns: Whether the record follows the one before it.
  mutating func advance(to frame: LogRecord.Frame) -> Bool {
    guard header.format == .separate || frame.previous == last else { return false }
    last = frame.checksum
    return true
  }
}
