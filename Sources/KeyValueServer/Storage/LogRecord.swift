/// A change of the keyspace, in the format of the log.
///
/// | bytes | |
/// |---|---|
/// | 4 | the length of the body, which starts with the kind |
/// | 4 | CRC-32C of the log's salt, the length and the body |
/// | 1 | the kind; its highest bit is set if the next record belongs to the same command |
/// | 8 | a time or an offset, depending on the kind |
/// | 4 | the length of the key |
/// | … | the key |
/// | … | the value |
///
/// Numbers are little-endian. Because of the salt, data that a client stored, such as a piece of a
/// log, is never read as a record.
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

  static let headerByteCount = 8
  static let smallestBodyByteCount = 13
  private static let continuedBit: UInt8 = 0x80

  /// A key and a value of the largest size.
  static let largestBodyByteCount = smallestBodyByteCount + 2 * RequestParser.Limits().bulkByteCount

  static func byteCount(keyByteCount: Int, valueByteCount: Int) -> Int {
    headerByteCount + smallestBodyByteCount + keyByteCount + valueByteCount
  }

  // MARK: - Writing

  /// Appends a record to a piece of a log.
  static func write(
    _ kind: Kind, isContinued: Bool = false, number: Int64 = 0, key: Bytes = [], value: Bytes = [],
    salt: UInt32, to log: inout Bytes
  ) {
    let start = log.count
    let bodyByteCount = smallestBodyByteCount + key.count + value.count
    unsafe withUnsafeTemporaryAllocation(
      byteCount: headerByteCount + smallestBodyByteCount, alignment: 8
    ) { head in
      unsafe head.store(UInt32(bodyByteCount), at: 0)
      // A placeholder: the checksum is stored when the record is complete.
      unsafe head.store(UInt32(0), at: 4)
      unsafe head.store(kind.rawValue | (isContinued ? continuedBit : 0), at: 8)
      unsafe head.store(number, at: 9)
      unsafe head.store(UInt32(key.count), at: 17)
      unsafe log.append(contentsOf: head)
    }
    log.append(contentsOf: key)
    log.append(contentsOf: value)
    seal(at: start, in: &log, salt: salt)
  }

  /// Makes a record the last one of its group.
  ///
  /// - Parameter offset: Where the record begins; it is the last one in `log`.
  static func endGroup(at offset: Int, in log: inout Bytes, salt: UInt32) {
    log[offset + headerByteCount] &= ~continuedBit
    seal(at: offset, in: &log, salt: salt)
  }

  /// Stores the checksum of the last record in `log`.
  private static func seal(at offset: Int, in log: inout Bytes, salt: UInt32) {
    unsafe log.withUnsafeMutableBytes { log in
      let record = unsafe UnsafeMutableRawBufferPointer(rebasing: log[offset...])
      let checksum = unsafe checksum(UnsafeRawBufferPointer(record).bytes, salt: salt)
      unsafe record.store(checksum, at: 4)
    }
  }

  private static func checksum(_ record: RawSpan, salt: UInt32) -> UInt32 {
    let length = CRC32C.checksum(record.extracting(0..<4), seed: salt)
    return CRC32C.checksum(record.extracting(headerByteCount..<record.byteCount), seed: length)
  }

  // MARK: - Reading

  /// The result of parsing a record.
  enum Reading: Equatable {
    case record(LogRecord, byteCount: Int)
    /// Parsing needs at least `byteCount` bytes.
    case incomplete(byteCount: Int)
    case invalid
  }

  static func read(_ log: RawSpan, salt: UInt32) -> Reading {
    let smallest = headerByteCount + smallestBodyByteCount
    guard log.byteCount >= smallest else { return .incomplete(byteCount: smallest) }
    let bodyByteCount = Int(log.number(at: 0, UInt32.self))
    let keyByteCount = Int(log.number(at: 17, UInt32.self))
    guard (smallestBodyByteCount...largestBodyByteCount).contains(bodyByteCount),
      keyByteCount <= bodyByteCount - smallestBodyByteCount,
      let kind = Kind(rawValue: log[8] & ~continuedBit)
    else { return .invalid }
    let byteCount = headerByteCount + bodyByteCount
    guard log.byteCount >= byteCount else { return .incomplete(byteCount: byteCount) }
    let record = log.extracting(0..<byteCount)
    guard checksum(record, salt: salt) == log.number(at: 4, UInt32.self) else { return .invalid }
    let valueStart = smallest + keyByteCount
    return .record(
      LogRecord(
        kind: kind, isContinued: log[8] & continuedBit != 0,
        number: Int64(bitPattern: log.number(at: 9, UInt64.self)),
        key: log.copy(smallest..<valueStart), value: log.copy(valueStart..<byteCount)),
      byteCount: byteCount)
  }
}

/// The first bytes of a log: its format and its salt.
enum LogHeader {
  private static let title = Bytes("aio-kv log 1\n\0\0\0".utf8)

  static let byteCount = title.count + 8

  static func bytes(salt: UInt32) -> Bytes {
    var header = title
    header.append(salt)
    header.append(unsafe header.withUnsafeBytes { unsafe CRC32C.checksum($0.bytes) })
    return header
  }

  /// - Returns: The salt; nil if the bytes are not a valid header.
  static func salt(of bytes: RawSpan) -> UInt32? {
    guard bytes.byteCount >= byteCount else { return nil }
    let salt = bytes.number(at: title.count, UInt32.self)
    return bytes.copy(0..<byteCount) == Self.bytes(salt: salt) ? salt : nil
  }
}

extension Array where Element == UInt8 {
  /// Appends a number in little-endian order.
  fileprivate mutating func append(_ number: some FixedWidthInteger) {
    unsafe Swift.withUnsafeBytes(of: number.littleEndian) { unsafe append(contentsOf: $0) }
  }
}

extension UnsafeMutableRawBufferPointer {
  /// Stores a number in little-endian order.
  fileprivate func store(_ number: some FixedWidthInteger & BitwiseCopyable, at offset: Int) {
    unsafe storeBytes(of: number.littleEndian, toByteOffset: offset, as: type(of: number))
  }
}

extension RawSpan {
  /// The little-endian number at an offset.
  fileprivate func number<Number: FixedWidthInteger & BitwiseCopyable>(
    at offset: Int, _: Number.Type
  ) -> Number {
    // Checks the bounds; all bits are valid.
    Number(littleEndian: unsafe unsafeLoadUnaligned(fromByteOffset: offset, as: Number.self))
  }
}
