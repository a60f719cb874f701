/// One generated operation.
struct StressOperation: Equatable {
  enum Kind: Equatable {
    case read(block: Int)
    case write(block: Int)
    case sync(dataOnly: Bool)
  }

  /// How an operation is cancelled.
  enum Cancellation: Equatable {
    /// Immediately after it is accepted, before it is submitted to glibc.
    case atOnce(abandoning: Bool)
    /// After `operationCount` further operations were started.
    case later(operationCount: Int, abandoning: Bool)
    /// By its timeout.
    case deadline(Duration)
  }

  /// The position in the sequence, from 1. For a write, it is also the version that it writes.
  let number: Int
  let kind: Kind
  let cancellation: Cancellation?

  /// A value that differs between operations, for the digest.
  fileprivate var fingerprint: UInt64 {
    let (kindNumber, place) =
      switch kind {
      case .read(let block): (0, block)
      case .write(let block): (1, block)
      case .sync(let dataOnly): (dataOnly ? 2 : 3, 0)
      }
    let cancellationNumber =
      switch cancellation {
      case nil: 0
      case .atOnce(let abandoning): abandoning ? 1 : 2
      case .later(let count, let abandoning): count * 4 + (abandoning ? 0 : 3)
      case .deadline(let duration): Int(duration.components.attoseconds / 1_000_000_000) * 4 + 1
      }
    return UInt64(kindNumber) &+ UInt64(place) << 2 ^ UInt64(cancellationNumber) << 40
  }
}

/// The endless sequence of a run's operations. It depends only on the seed and the options, not on
/// the results of the operations.
struct OperationSequence {
  /// The inputs of the sequence.
  struct Options: Equatable {
    var seed: UInt64
    var blockCount: Int
    var readPercent = 70
    /// The number of writes between syncs; 0 for no syncs.
    var writesPerSync = 64
    var cancelPercent = 0
    /// The most operations between one and its later cancellation.
    var cancelDistance = 32
  }

  /// One read or write in this many starts a run of adjacent blocks, which the queue may merge.
  private static let oneRunIn = 8
  private static let runLengths = 2...12
  /// One sync in this many comes as a group, for a group commit.
  private static let oneSyncGroupIn = 4
  private static let syncGroupCounts = 2...5
  private static let deadlineMicroseconds = 20...4000

  private let options: Options
  private var random: SeededGenerator
  private var number = 0
  private var run: (isRead: Bool, nextBlock: Int, remainingCount: Int)?
  private var writesSinceSync = 0
  private var dueSyncCount = 0

  /// A digest of the operations so far.
  private(set) var digest: UInt64 = 0xCBF2_9CE4_8422_2325

  init(_ options: Options) {
    self.options = options
    random = SeededGenerator(seed: options.seed)
  }

  mutating func next() -> StressOperation {
    number += 1
    let operation = StressOperation(
      number: number, kind: nextKind(), cancellation: nextCancellation())
    // A step of FNV, on words instead of bytes.
    digest = (digest ^ operation.fingerprint) &* 0x0000_0100_0000_01B3
    return operation
  }

  private mutating func nextKind() -> StressOperation.Kind {
    if dueSyncCount > 0 {
      dueSyncCount -= 1
      return .sync(dataOnly: !random.oneIn(4))
    }
    let (isRead, block) = nextPlace()
    guard !isRead else { return .read(block: block) }
    writesSinceSync += 1
    if writesSinceSync == options.writesPerSync {
      writesSinceSync = 0
      dueSyncCount =
        random.oneIn(Self.oneSyncGroupIn) ? .random(in: Self.syncGroupCounts, using: &random) : 1
    }
    return .write(block: block)
  }

  private mutating func nextPlace() -> (isRead: Bool, block: Int) {
    if let (isRead, block, remainingCount) = run {
      let following = (block + 1) % options.blockCount
      run = remainingCount > 1 ? (isRead, following, remainingCount - 1) : nil
      return (isRead, block)
    }
    let isRead = random.happens(percent: options.readPercent)
    let block = Int.random(in: 0..<options.blockCount, using: &random)
    if random.oneIn(Self.oneRunIn) {
      let count = Int.random(in: Self.runLengths, using: &random)
      run = (isRead, (block + 1) % options.blockCount, count - 1)
    }
    return (isRead, block)
  }

  private mutating func nextCancellation() -> StressOperation.Cancellation? {
    guard random.happens(percent: options.cancelPercent) else { return nil }
    let abandoning = random.oneIn(3)
    switch Int.random(in: 0..<3, using: &random) {
    case 0: return .atOnce(abandoning: abandoning)
    case 1:
      let count = Int.random(in: 1...max(1, options.cancelDistance), using: &random)
      return .later(operationCount: count, abandoning: abandoning)
    default:
      return .deadline(.microseconds(Int.random(in: Self.deadlineMicroseconds, using: &random)))
    }
  }
}
