import ArgumentParser
import PosixAIO
import Reactor

/// The options of the command line.
struct StressOptions: ParsableArguments {
  @Option(help: "The file to load, created if it is missing.")
  var file = "aio-stress.data"

  @Option(help: "The total size of the blocks, in bytes, with an optional suffix K, M or G.")
  var size = ByteCount(64 << 20)

  @Option(help: "Stop after this many operations.")
  var ops: Int?

  @Option(help: "Stop after this many seconds. (default: 10, if --ops is not given)")
  var duration: Double?

  @Option(help: "The maximum number of unfinished requests.")
  var queueDepth = 32

  @Option(
    help: "The size of a block, in bytes: a multiple of 64, or usually of 512 with --direct.")
  var blockSize = ByteCount(4096)

  @Option(help: "Percentage of reads and writes that are reads.")
  var readPercent = 70

  @Option(help: "Sync after this many writes, while other operations continue; 0 for never.")
  var syncEvery = 64

  @Option(help: "Descriptors of the file: the number of operations that run in parallel.")
  var lanes = 16

  @Flag(help: "Bypass the page cache (O_DIRECT).")
  var direct = false

  @Option(
    help: """
      Percentage of operations that are cancelled: immediately, later or by a deadline. Some of \
      them are abandoned while they run.
      """)
  var cancelPercent = 0

  @Flag(help: "Do not try the page cache before submitting a read to a helper thread.")
  var noCacheFirst = false

  @Option(help: "The seed of the operations; the same seed and options give the same operations.")
  var seed: Int?

  @Flag(help: "Print one JSON object on standard output, and nothing else.")
  var json = false

  @Flag(help: "Use a file that aio-stress did not create. Its contents are lost.")
  var overwrite = false

  @Flag(help: "Keep the file, even if this run created it.")
  var keep = false

  @Option(help: "Give up when a request is unfinished for this many seconds.")
  var stallLimit = 120

  // MARK: - Limits

  static let blockSizes = 64...(64 << 20)
  /// The state of each block takes about 30 bytes.
  static let maximumBlockCount = 1 << 24
  static let queueDepths = 1...16_384
  static let maximumLaneCount = 64
  /// The bytes in the buffers of all requests together.
  static let maximumHeldByteCount = 1 << 30
  static let maximumSeconds = 1_000_000
  /// The smallest unit of direct IO on any disk, in bytes.
  static let directAlignment = 512
  /// glibc's helper threads in addition to one per lane, enough for a queue with one file.
  private static let furtherHelperCount = 12

  func validate() throws {
    try check(!file.isEmpty, "--file must be the path of a file")
    try check(
      Self.blockSizes.contains(blockSize.value)
        && blockSize.value % Self.blockSizes.lowerBound == 0,
      "--block-size must be a multiple of 64, from 64 to 64M")
    try check(
      !direct || blockSize.value % Self.directAlignment == 0,
      "--direct requires a --block-size that is a multiple of \(Self.directAlignment)")
    try check(
      (blockCount >= 1 && blockCount <= Self.maximumBlockCount),
      "--size must be that of 1 to \(Self.maximumBlockCount) blocks")
    try check(ops == nil || duration == nil, "--ops and --duration exclude each other")
    try check((ops ?? 1) > 0, "--ops must be a number of operations, 1 or more")
    try check(
      duration.map { $0 > 0 && $0 <= Double(Self.maximumSeconds) } ?? true,
      "--duration must be a number of seconds, more than 0 and at most \(Self.maximumSeconds)")
    try check(
      Self.queueDepths.contains(queueDepth),
      "--queue-depth must be from 1 to \(Self.queueDepths.upperBound)")
    try check(
      queueDepth * blockSize.value <= Self.maximumHeldByteCount,
      "--queue-depth times --block-size must be at most \(ByteCount(Self.maximumHeldByteCount))")
    try check((0...100).contains(readPercent), "--read-percent must be from 0 to 100")
    try check((0...100).contains(cancelPercent), "--cancel-percent must be from 0 to 100")
    try check((seed ?? 0) >= 0, "--seed must be a number, 0 or more")
    try check(syncEvery >= 0, "--sync-every must be a number of writes, 0 or more")
    try check(
      (1...Self.maximumLaneCount).contains(lanes),
      "--lanes must be from 1 to \(Self.maximumLaneCount)")
    try check(
      (1...Self.maximumSeconds).contains(stallLimit),
      "--stall-limit must be a number of seconds, from 1 to \(Self.maximumSeconds)")
  }

  private func check(_ condition: Bool, _ message: String) throws {
    guard condition else { throw ValidationError(message) }
  }

  // MARK: - Derived values

  var blockCount: Int { size.value / blockSize.value }

  /// The duration of the load; nil if it is limited by the number of operations.
  var loadTime: Duration? {
    ops == nil ? .seconds(duration ?? 10) : nil
  }

  var loopConfiguration: EventLoop.Configuration {
    var configuration = EventLoop.Configuration()
    configuration.queue.lanesPerFile = lanes
    configuration.queue.readsCacheFirst = !noCacheFirst
    let threadLimit = configuration.queue.aioThreadLimit ?? 0
    configuration.queue.aioThreadLimit = max(threadLimit, lanes + Self.furtherHelperCount)
    // Abandoned buffers count in addition to those of unfinished requests.
    configuration.queue.heldByteLimit = 2 * Self.maximumHeldByteCount
    return configuration
  }

  func sequenceOptions(seed: Int) -> OperationSequence.Options {
    OperationSequence.Options(
      seed: UInt64(seed), blockCount: blockCount, readPercent: readPercent,
      writesPerSync: syncEvery,
      cancelPercent: cancelPercent, cancelDistance: queueDepth)
  }

  /// The command that repeats the same operations.
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
