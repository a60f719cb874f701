extension IOBuffer {
  /// The order of the bytes of an integer in memory.
  public enum Endianness: Sendable {
    /// The most significant byte first, as in most network protocols.
    case big
    /// The least significant byte first, as in most file formats.
    case little
  }

  /// Appends the bytes of an integer. Traps if they do not fit in the capacity.
  ///
  /// The counterpart of `writeInteger` of SwiftNIO's `ByteBuffer`, without a default byte order.
  ///
  /// - Parameters:
  ///   - value: Written as `MemoryLayout<Value>.size` bytes.
  ///   - endianness: The byte order.
  ///   - type: For a literal, the type that it stands for.
  public mutating func appendInteger<Value: FixedWidthInteger & BitwiseCopyable>(
    _ value: Value, endianness: Endianness, as type: Value.Type = Value.self
  ) {
    require(
      MemoryLayout<Value>.size <= freeCapacity,
      "IOBuffer: the integer does not fit in the capacity")
    // An integer has no padding, whose bytes would not be initialized.
    append { unsafe $0.append(value.ordered(endianness), as: Value.self) }
  }

  /// Reads an integer from the valid bytes, at any alignment. Traps if `offset` is negative.
  ///
  /// - Parameters:
  ///   - offset: The position of the first byte, 0 or more.
  ///   - endianness: The byte order.
  ///   - type: The type of the integer.
  /// - Returns: The integer; nil if not all of its bytes are valid.
  public func integer<Value: FixedWidthInteger & BitwiseCopyable>(
    at offset: Int, endianness: Endianness, as type: Value.Type = Value.self
  ) -> Value? {
    require(offset >= 0, "IOBuffer: the offset must be 0 or more")
    guard count - MemoryLayout<Value>.size >= offset else { return nil }
    return withBytes { bytes in
      // Every pattern of bits is a value of an integer, and the range was checked.
      unsafe bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: Value.self).ordered(endianness)
    }
  }

  /// Overwrites valid bytes with an integer, at any alignment. Traps if not all of its bytes are
  /// valid, and if `offset` is negative.
  ///
  /// - Parameters:
  ///   - value: Written as `MemoryLayout<Value>.size` bytes.
  ///   - offset: The position of the first byte, 0 or more.
  ///   - endianness: The byte order.
  ///   - type: For a literal, the type that it stands for.
  public mutating func setInteger<Value: FixedWidthInteger & BitwiseCopyable>(
    _ value: Value, at offset: Int, endianness: Endianness, as type: Value.Type = Value.self
  ) {
    require(
      offset >= 0 && count - MemoryLayout<Value>.size >= offset,
      "IOBuffer: the integer must be within the valid bytes")
    withMutableBytes {
      $0.storeBytes(of: value.ordered(endianness), toByteOffset: offset, as: Value.self)
    }
  }
}

extension FixedWidthInteger {
  /// Converts between the byte order of the machine and another one, both ways.
  fileprivate func ordered(_ endianness: IOBuffer.Endianness) -> Self {
    switch endianness {
    case .big: bigEndian
    case .little: littleEndian
    }
  }
}
