import PosixAIO

/// The format of blocks. Each block holds the ID of its file, its offset and its version, and all
/// other bytes are derived from these, so every wrong byte is detected.
struct BlockFormat {
  /// The size of a block's heading in words of 8 bytes: mark, file ID, offset and version.
  private static let headingWordCount = 4

  /// "aioSTRES" as a little-endian number.
  private static let mark: UInt64 = 0x5345_5254_536F_6961

  /// A random ID for each run, so that data of an earlier run is not taken for this one's.
  let fileID: UInt64

  /// The size of a block in bytes, a multiple of 64.
  let blockByteCount: Int

  private static let wordByteCount = MemoryLayout<UInt64>.size

  private var wordCount: Int { blockByteCount / Self.wordByteCount }

  /// The heading of a block.
  struct Heading: Equatable {
    let fileID: UInt64
    let offset: Int64
    let version: UInt64
  }

  /// Writes the block with this offset and version into `bytes` at `start`.
  func fill(_ bytes: inout MutableRawSpan, from start: Int = 0, offset: Int64, version: UInt64) {
    var words = Words(self, offset: offset, version: version)
    for index in 0..<wordCount {
      bytes.storeBytes(
        of: words.next(), toByteOffset: start + index * Self.wordByteCount, as: UInt64.self)
    }
  }

  /// Whether `bytes` hold exactly the block with this offset and version at `start`.
  func matches(
    _ bytes: RawSpan, from start: Int = 0, offset: Int64, version: UInt64
  ) -> Bool {
    var words = Words(self, offset: offset, version: version)
    // Compares everything without an early exit, since blocks are usually right.
    var difference: UInt64 = 0
    for index in 0..<wordCount { difference |= word(index, of: bytes, start) ^ words.next() }
    return difference == 0
  }

  /// The index of the first byte that matches none of the versions; nil if there is none. A block
  /// that is written and read at the same time may be a mixture of versions.
  func firstForeignByte(
    _ bytes: RawSpan, from start: Int = 0, offset: Int64, versions: [UInt64]
  ) -> Int? {
    var candidates = versions.map { Words(self, offset: offset, version: $0) }
    for index in 0..<wordCount {
      let found = word(index, of: bytes, start)
      var known: UInt64 = 0
      for candidate in candidates.indices {
        known |= Self.zeroBytes(of: found ^ candidates[candidate].next())
      }
      guard known == Self.highBits else {
        return index * Self.wordByteCount + (~known & Self.highBits).trailingZeroBitCount / 8
      }
    }
    return nil
  }

  /// The highest bit of each byte of a word.
  private static let highBits: UInt64 = 0x8080_8080_8080_8080

  /// Sets the highest bit of each byte that is 0.
  private static func zeroBytes(of word: UInt64) -> UInt64 {
    ~((word & ~highBits) &+ ~highBits | word) & highBits
  }

  /// The heading at `start`; nil if no block starts there.
  func heading(of bytes: RawSpan, from start: Int = 0) -> Heading? {
    guard word(0, of: bytes, start) == Self.mark else { return nil }
    return Heading(
      fileID: word(1, of: bytes, start), offset: Int64(bitPattern: word(2, of: bytes, start)),
      version: word(3, of: bytes, start))
  }

  private func word(_ index: Int, of bytes: RawSpan, _ start: Int) -> UInt64 {
    // Every bit pattern is a valid number, and the span checks the bounds.
    unsafe bytes.unsafeLoadUnaligned(
      fromByteOffset: start + index * Self.wordByteCount, as: UInt64.self)
  }

  /// The words of one block, in order.
  private struct Words {
    private let heading: (UInt64, UInt64, UInt64, UInt64)
    private var index = 0
    private var state: UInt64

    init(_ format: BlockFormat, offset: Int64, version: UInt64) {
      heading = (BlockFormat.mark, format.fileID, UInt64(bitPattern: offset), version)
      state = Self.mixed(Self.mixed(format.fileID &+ heading.2) &+ version)
    }

    mutating func next() -> UInt64 {
      defer { index += 1 }
      guard index >= BlockFormat.headingWordCount else { return headingWord }
      state &+= SeededGenerator.increment
      return Self.mixed(state)
    }

    private var headingWord: UInt64 {
      switch index {
      case 0: heading.0
      case 1: heading.1
      case 2: heading.2
      default: heading.3
      }
    }

    private static func mixed(_ value: UInt64) -> UInt64 {
      let once = (value ^ (value >> 32)) &* 0x9FB2_1C65_1E98_DF25
      return once ^ (once >> 28)
    }
  }
}
