import CKeyValue

/// The checksum of the log's records: CRC-32C (Castagnoli), eight bytes at a time, by the
/// processor's instruction or else by tables.
enum CRC32C {
  /// The remainders of each byte, followed by 0 to 7 zero bytes.
  private static let tables: [UInt32] = {
    let reversedPolynomial: UInt32 = 0x82F6_3B78
    var tables = [UInt32](repeating: 0, count: 8 * 256)
    for byte in 0..<256 {
      var remainder = UInt32(byte)
      for _ in 0..<8 {
        remainder = remainder >> 1 ^ (remainder & 1 == 1 ? reversedPolynomial : 0)
      }
      tables[byte] = remainder
    }
    for index in 256..<tables.count {
      let shorter = tables[index - 256]
      tables[index] = shorter >> 8 ^ tables[Int(shorter & 0xFF)]
    }
    return tables
  }()

  static let hasInstruction = ckeyvalue_has_crc32c()

  /// - Parameters:
  ///   - seed: The checksum of the preceding bytes.
  ///   - usingInstruction: Whether to use the instruction; there must be one.
  static func checksum(
    _ bytes: RawSpan, seed: UInt32 = 0, usingInstruction: Bool = hasInstruction
  ) -> UInt32 {
    if usingInstruction {
      return unsafe bytes.withUnsafeBytes { bytes in
        guard let start = bytes.baseAddress else { return seed }
        return unsafe ~ckeyvalue_crc32c(~seed, start, bytes.count)
      }
    }
    return unsafe bytes.withUnsafeBytes { bytes in
      unsafe tables.withUnsafeBufferPointer { tables in
        unsafe checksum(bytes, seed: seed, tables)
      }
    }
  }

  private static func checksum(
    _ bytes: UnsafeRawBufferPointer, seed: UInt32, _ tables: UnsafeBufferPointer<UInt32>
  ) -> UInt32 {
    var sum = ~seed
    var offset = 0
    while offset + 8 <= bytes.count {
      let word = unsafe UInt64(
        littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
      let mixed = word ^ UInt64(sum)
      sum = 0
      // The first byte is followed by seven others.
      for index in 0..<8 {
        let byte = Int(truncatingIfNeeded: mixed >> (8 * UInt64(index)) & 0xFF)
        unsafe sum ^= tables[(7 - index) * 256 + byte]
      }
      offset += 8
    }
    while offset < bytes.count {
      let byte = unsafe Int((sum ^ UInt32(bytes[offset])) & 0xFF)
      unsafe sum = sum >> 8 ^ tables[byte]
      offset += 1
    }
    return ~sum
  }
}
