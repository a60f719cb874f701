/// A change of the keyspace, in the format of the log.
///
/// | bytes | |
/// |---|---|
/// | 4 | the length of the body, which starts with the kind |
/// | 4 | CRC-32C of the log's salt and the rest of the record |
/// | 4 | the checksum of the record before; in the first record, that of the log's header |
/// | 1 | the kind; its highest bit is set if the next record belongs to the same command |
/// | 8 | a time or an offset, depending on the kind |
/// | 4 | the length of the key |
/// | … | the key |
/// | … | the value |
///
/// Numbers are little-endian. Because of the salt, data that a client stored, such as a piece of a
/// log, is never read as a record. A ``LogChain`` adds the checksums when a record is written to
/// the log. Format 1 did not have the checksum of the record before.
struct LogRecord: Equatable {
  enum Kind: UInt8 {
    /// Sets the value of the key, and its expiry.
    case set = 1
    /// Removes the key.
    case remove = 2
    /// Appends bytes to the key's value.
    case append = 3
    /// Sets the expiry of the key.
    case expire = 4
    /// Removes all keys.
    case removeAll = 5
    /// Notes that all bytes before the offset were on the disk before this record was written.
    case synced = 6
  }

  var kind: Kind
  /// Whether the next record belongs to the same command or transaction: both apply or neither.
  var isContinued = false
  /// A time in milliseconds since 1970, or an offset.
  var number: Int64 = 0
  var key: Bytes = []
  var value: Bytes = []

  static let headerByteCount = 12
  static let smallestBodyByteCount = 13
  private static let continuedBit: UInt8 = 0x80

  /// A key and a value of the largest size.
  static let largestBodyByteCount = smallestBodyByteCount + 2 * RequestParser.Limits().bulkByteCount

  static func byteCount(keyByteCount: Int, valueByteCount: Int) -> Int {
    headerByteCount + smallestBodyByteCount + keyByteCount + valueByteCount
  }

  // MARK: - Writing

  /// Appends a record to a piece of a log, without its checksums.
  static func write(
    _ kind: Kind, isContinued: Bool = false, number: Int64 = 0, key: Bytes = [], value: Bytes = [],
    to log: inout Bytes
  ) {
    let bodyByteCount = smallestBodyByteCount + key.count + value.count
    unsafe withUnsafeTemporaryAllocation(
      byteCount: headerByteCount + smallestBodyByteCount, alignment: 8
    ) { head in
      unsafe head.store(UInt32(bodyByteCount), at: 0)
      unsafe head.store(UInt64(0), at: 4)
      unsafe head.store(kind.rawValue | (isContinued ? continuedBit : 0), at: 12)
      unsafe head.store(number, at: 13)
      unsafe head.store(UInt32(key.count), at: 21)
      unsafe log.append(contentsOf: head)
    }
    log.append(contentsOf: key)
    log.append(contentsOf: value)
  }

  /// Makes a record the last one of its group.
  ///
  /// - Parameter offset: Where the record begins.
  static func endGroup(at offset: Int, in log: inout Bytes) {
    log[offset + headerByteCount] &= ~continuedBit
  }

  // MARK: - Reading

  /// The frame of a record in a log.
  struct Frame: Equatable {
    let byteCount: Int
    let checksum: UInt32
    /// The checksum of the record before.
    let previous: UInt32
  }

  /// The result of parsing a record.
  enum Reading: Equatable {
    case record(LogRecord, Frame)
    /// Parsing needs at least `byteCount` bytes.
    case incomplete(byteCount: Int)
    case invalid
  }

  static func read(_ log: RawSpan, _ header: LogHeader) -> Reading {
    let start = header.recordHeaderByteCount
    let smallest = start + smallestBodyByteCount
    guard log.byteCount >= smallest else { return .incomplete(byteCount: smallest) }
    let bodyByteCount = Int(log.number(at: 0, UInt32.self))
    let keyByteCount = Int(log.number(at: start + 9, UInt32.self))
    guard (smallestBodyByteCount...largestBodyByteCount).contains(bodyByteCount),
      keyByteCount <= bodyByteCount - smallestBodyByteCount,
      let kind = Kind(rawValue: log[start] & ~continuedBit)
    else { return .invalid }
    let byteCount = start + bodyByteCount
    guard log.byteCount >= byteCount else { return .incomplete(byteCount: byteCount) }
    let checksum = log.number(at: 4, UInt32.self)
    guard header.checksum(ofRecord: log.extracting(0..<byteCount)) == checksum else {
      return .invalid
    }
    let valueStart = smallest + keyByteCount
    return .record(
      LogRecord(
        kind: kind, isContinued: log[start] & continuedBit != 0,
        number: Int64(bitPattern: log.number(at: start + 1, UInt64.self)),
        key: log.copy(smallest..<valueStart), value: log.copy(valueStart..<byteCount)),
      Frame(byteCount: byteCount, checksum: checksum, previous: log.number(at: 8, UInt32.self)))
  }

  /// Whether a valid note begins at the start of `log`, which says that the bytes before an offset
  /// were on the disk. Takes the same time for any bytes.
  ///
  /// - Parameter log: At least ``LogHeader/noteByteCount`` bytes.
  static func isNote(_ log: RawSpan, _ header: LogHeader, beyond offset: Int64) -> Bool {
    let start = header.recordHeaderByteCount
    guard log[0] == UInt8(smallestBodyByteCount), log[start] == Kind.synced.rawValue,
      case .record(let note, _) = read(log.extracting(0..<header.noteByteCount), header)
    else { return false }
    return note.number > offset
  }
}

extension Array where Element == UInt8 {
  /// Appends a number in little-endian order.
  mutating func appendNumber(_ number: some FixedWidthInteger) {
    unsafe Swift.withUnsafeBytes(of: number.littleEndian) { unsafe append(contentsOf: $0) }
  }
}

extension UnsafeMutableRawBufferPointer {
  /// Stores a number in little-endian order.
  func store(_ number: some FixedWidthInteger & BitwiseCopyable, at offset: Int) {
    unsafe storeBytes(of: number.littleEndian, toByteOffset: offset, as: type(of: number))
  }
}

extension RawSpan {
  /// The little-endian number at an offset.
  func number<Number: FixedWidthInteger & BitwiseCopyable>(
    at offset: Int, _: Number.Type
  ) -> Number {
    // Checks the bounds; all bits are valid.
    Number(littleEndian: unsafe unsafeLoadUnaligned(fromByteOffset: offset, as: Number.self))
  }
}
