import ArgumentParser
import PosixAIO
import Reactor

/// What the command line says.
struct StressOptions: ParsableArguments {
  @Option(help: "The file to load, made if it is missing.")
  var file = "aio-stress.data"

  @Option(help: "The size of its blocks together, in bytes; K, M or G may follow the number.")
  var size = ByteCount(64 << 20)

  @Option(help: "End after so many operations.")
  var ops: Int?

  @Option(help: "End after so many seconds. (default: 10, if --ops is not given)")
  var duration: Double?

  @Option(help: "Requests that are unfinished at a time.")
  var queueDepth = 32

  @Option(
    help: "The size of a block, in bytes: a multiple of 64; with --direct of 512, as a rule.")
  var blockSize = ByteCount(4096)

  @Option(help: "How many of a hundred reads and writes are reads.")
  var readPercent = 70

  @Option(help: "Sync after so many writes, beside what else runs; 0 for never.")
  var syncEvery = 64

  @Option(help: "The descriptors of the file: how many operations run at a time.")
  var lanes = 16

  @Flag(help: "Go past the page cache (O_DIRECT).")
  var direct = false

  @Option(
    help: """
      How many of a hundred operations are cancelled: at once, later or by a deadline, some of \
      them abandoned while they run.
      """)
  var cancelPercent = 0

  @Flag(help: "Do not ask the page cache before a read is given to a helper thread.")
  var noCacheFirst = false

  @Option(help: "Chooses the operations; the same seed and options give the same ones.")
  var seed: Int?

  @Flag(help: "Print one JSON object, and nothing else on standard output.")
  var json = false

  @Flag(help: "Take a file that aio-stress did not make. What is in it is lost.")
  var overwrite = false

  @Flag(help: "Leave the file, also when this run made it.")
  var keep = false

  @Option(help: "Give up when a request is unfinished for so many seconds.")
  var stallLimit = 120

  // MARK: - Limits

  static let blockSizes = 64...(64 << 20)
  /// What is remembered of each block takes some 30 bytes.
  static let maximumBlockCount = 1 << 24
  static let queueDepths = 1...16_384
  static let maximumLaneCount = 64
  /// The buffers of all requests together.
  static let maximumHeldByteCount = 1 << 30
  static let maximumSeconds = 1_000_000
  /// The least that any disk with direct IO reads and writes.
  static let directAlignment = 512
  /// Beside those of the lanes, for a queue that has one file.
  private static let furtherHelperCount = 12

  func validate() throws {
    try check(!file.isEmpty, "--file is the path of a file")
    try check(
      Self.blockSizes.contains(blockSize.value)
        && blockSize.value % Self.blockSizes.lowerBound == 0,
      "--block-size is a multiple of 64, from 64 to 64M")
    try check(
      !direct || blockSize.value % Self.directAlignment == 0,
      "--direct needs a --block-size that is a multiple of \(Self.directAlignment)")
    try check(
      (blockCount >= 1 && blockCount <= Self.maximumBlockCount),
      "--size is that of 1 to \(Self.maximumBlockCount) blocks")
    try check(ops == nil || duration == nil, "--ops and --duration exclude each other")
    try check((ops ?? 1) > 0, "--ops is a number of operations, 1 or more")
    try check(
      duration.map { $0 > 0 && $0 <= Double(Self.maximumSeconds) } ?? true,
      "--duration is a number of seconds, more than 0, at most \(Self.maximumSeconds)")
    try check(
      Self.queueDepths.contains(queueDepth),
      "--queue-depth is from 1 to \(Self.queueDepths.upperBound)")
    try check(
      queueDepth * blockSize.value <= Self.maximumHeldByteCount,
      "--queue-depth times --block-size is at most \(ByteCount(Self.maximumHeldByteCount))")
    try check((0...100).contains(readPercent), "--read-percent is from 0 to 100")
    try check((0...100).contains(cancelPercent), "--cancel-percent is from 0 to 100")
    try check((seed ?? 0) >= 0, "--seed is a number, 0 or more")
    try check(syncEvery >= 0, "--sync-every is a number of writes, 0 or more")
    try check(
      (1...Self.maximumLaneCount).contains(lanes), "--lanes is from 1 to \(Self.maximumLaneCount)")
    try check(
      (1...Self.maximumSeconds).contains(stallLimit),
      "--stall-limit is a number of seconds, from 1 to \(Self.maximumSeconds)")
  }

  private func check(_ condition: Bool, _ message: String) throws {
    guard condition else { throw ValidationError(message) }
  }

  // MARK: - What follows from it

  var blockCount: Int { size.value / blockSize.value }

  /// How long the load lasts; nil when its operations are counted.
  var loadTime: Duration? {
    ops == nil ? .seconds(duration ?? 10) : nil
  }

  var loopConfiguration: EventLoop.Configuration {
    var configuration = EventLoop.Configuration()
    configuration.queue.lanesPerFile = lanes
    configuration.queue.readsCacheFirst = !noCacheFirst
    let threadLimit = configuration.queue.aioThreadLimit ?? 0
    configuration.queue.aioThreadLimit = max(threadLimit, lanes + Self.furtherHelperCount)
    // What was abandoned is held beside what is unfinished.
    configuration.queue.heldByteLimit = 2 * Self.maximumHeldByteCount
    return configuration
  }

  func sequenceOptions(seed: Int) -> OperationSequence.Options {
    OperationSequence.Options(
      seed: UInt64(seed), blockCount: blockCount, readPercent: readPercent,
      writesPerSync: syncEvery,
      cancelPercent: cancelPercent, cancelDistance: queueDepth)
  }

  /// The command that chooses the same operations again.
  func replay(seed: Int) -> String {
    var words = [
      "aio-stress --file \(file) --size \(size) --block-size \(blockSize)",
      "--queue-depth \(queueDepth) --read-percent \(readPercent) --sync-every \(syncEvery)",
      "--lanes \(lanes) --cancel-percent \(cancelPercent) --seed \(seed)",
    ]
    if let ops { words.append("--ops \(ops)") }
    if let duration { words.append("--duration \(duration)") }
    if direct { words.append("--direct") }
    if noCacheFirst { words.append("--no-cache-first") }
    return words.joined(separator: " ")
  }
}

/// A number of bytes, as `4096`, `4K`, `64M` or `2G`.
struct ByteCount: ExpressibleByArgument, CustomStringConvertible {
  private static let units: [(letter: Character, shift: Int)] = [("G", 30), ("M", 20), ("K", 10)]

  let value: Int

  init(_ value: Int) {
    self.value = value
  }

  init?(argument: String) {
    let unit = Self.units.first { argument.uppercased().hasSuffix(String($0.letter)) }
    let digits = unit == nil ? argument[...] : argument.dropLast()
    guard digits.allSatisfy(\.isASCII), let number = Int(digits), number >= 0 else { return nil }
    let (value, overflows) = number.multipliedReportingOverflow(by: 1 << (unit?.shift ?? 0))
    guard !overflows else { return nil }
    self.value = value
  }

  var description: String {
    let unit = Self.units.first { value > 0 && value % (1 << $0.shift) == 0 }
    return unit.map { "\(value >> $0.shift)\($0.letter)" } ?? "\(value)"
  }

  var defaultValueDescription: String { description }
}
