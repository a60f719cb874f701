import PosixAIO

/// What may stand in a block, by what is known of the writes to it.
struct BlockState {
  /// What a read of the whole block may find.
  enum Content: Equatable {
    /// This version.
    case version(UInt64)
    /// One of these, whole: nobody was told which of some writes has happened.
    case oneOf([UInt64])
    /// At each byte one of these: a write runs, or stopped on its way.
    case mixtureOf([UInt64])

    var versions: [UInt64] {
      switch self {
      case .version(let version): [version]
      case .oneOf(let versions), .mixtureOf(let versions): versions
      }
    }
  }

  /// The one write that a block has at a time.
  private enum Writer {
    case none
    case running(UInt64)
    /// Abandoned: its handler was called, and the kernel may still write.
    case unseen(UInt64)
  }

  /// How a write has ended.
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

  /// Whether a write may begin. Reads may always, and then see a mixture.
  var isFree: Bool {
    if case .none = writer { readerCount == 0 } else { false }
  }

  /// Whether only a sync can tell that the last write is over.
  var hasUnseenWriter: Bool {
    if case .unseen = writer { true } else { false }
  }

  /// What a read that begins now may find.
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

  /// A read has found this version, whole: what was left open is known from now on.
  mutating func found(_ version: UInt64) {
    guard case .oneOf = content, case .none = writer else { return }
    content = .version(version)
  }

  mutating func beginWrite(version: UInt64) {
    require(isFree, "BlockState: a write has its block alone, but for reads that begin later")
    writer = .running(version)
  }

  mutating func endWrite(_ outcome: WriteOutcome) {
    guard case .running(let version) = writer else {
      trap("BlockState: a write that has begun ends once")
    }
    writer = .none
    switch outcome {
    case .whole: content = .version(version)
    case .notBegun: break
    case .partly: content = .mixtureOf(content.versions + [version])
    case .unseen: writer = .unseen(version)
    }
  }

  /// A sync that was asked for after the write was abandoned is done, and so is the write: all of
  /// it is there, or nothing.
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
