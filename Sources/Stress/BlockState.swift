import PosixAIO

/// The possible contents of a block, given the known results of the writes to it.
struct BlockState {
  /// The possible results of reading the whole block.
  enum Content: Equatable {
    /// This version.
    case version(UInt64)
    /// One of these versions, whole: the results of some writes are unknown.
    case oneOf([UInt64])
    /// One of these versions at each byte: a write is running, or stopped part-way.
    case mixtureOf([UInt64])

    var versions: [UInt64] {
      switch self {
      case .version(let version): [version]
      case .oneOf(let versions), .mixtureOf(let versions): versions
      }
    }
  }

  /// The write to the block; there is at most one at a time.
  private enum Writer {
    case none
    case running(UInt64)
    /// Abandoned: its handler was called, but the kernel may still write.
    case unseen(UInt64)
  }

  /// How a write ended.
  enum WriteOutcome {
    case whole
    case notBegun
    case partly
    case unseen
  }

  private var content: Content
  private var writer = Writer.none
  private var readerCount = 0

  init(version: UInt64) {
    content = .version(version)
  }

  /// Whether a write may begin. Reads may always begin, and may then see a mixture.
  var isFree: Bool {
    if case .none = writer { readerCount == 0 } else { false }
  }

  /// Whether only a sync can confirm that the last write is over.
  var hasUnseenWriter: Bool {
    if case .unseen = writer { true } else { false }
  }

  /// The possible results of a read that begins now.
  var expected: Content {
    switch writer {
    case .none: content
    case .running(let version), .unseen(let version): .mixtureOf(content.versions + [version])
    }
  }

  mutating func beginRead() {
    readerCount += 1
  }

  mutating func endRead() {
    readerCount -= 1
  }

  /// Notes that a read found this version, whole. That resolves which of several versions the block
  /// has.
  mutating func found(_ version: UInt64) {
    guard case .oneOf = content, case .none = writer else { return }
    content = .version(version)
  }

  mutating func beginWrite(version: UInt64) {
    require(isFree, "BlockState: a write needs its block alone; only later reads may join it")
    writer = .running(version)
  }

  mutating func endWrite(_ outcome: WriteOutcome) {
    guard case .running(let version) = writer else {
      trap("BlockState: a write ends exactly once after it begins")
    }
    writer = .none
    switch outcome {
    case .whole: content = .version(version)
    case .notBegun: break
    case .partly: content = .mixtureOf(content.versions + [version])
    case .unseen: writer = .unseen(version)
    }
  }

  /// A sync that was requested after the write was abandoned has ended, so the write has too: it
  /// took place as a whole or not at all.
  mutating func settle() {
    guard case .unseen(let version) = writer else { return }
    writer = .none
    if case .mixtureOf(let versions) = content {
      content = .mixtureOf(versions + [version])
    } else {
      content = .oneOf(content.versions + [version])
    }
  }
}
