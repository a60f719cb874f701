internal import CPeers
internal import Measuring
internal import SystemPackage

/// The files of the rows, in one directory.
struct WorkFiles {
  static let blockCount: Int64 = 65_536
  static let writtenBlockCount: Int64 = 16_384

  let cached: FilePath
  let direct: FilePath
  let written: FilePath
  let log: FilePath

  init(in directory: FilePath) throws {
    cached = directory.appending("cached")
    direct = directory.appending("direct")
    written = directory.appending("written")
    log = directory.appending("log")
    try WorkFile.make(cached, blockCount: Self.blockCount, isCached: true)
    try WorkFile.make(direct, blockCount: Self.blockCount, isCached: false)
    try WorkFile.make(
      written, blockCount: Self.writtenBlockCount, isCached: true, isReused: false)
    try WorkFile.makeEmpty(log)
  }
}

/// The names of the contestants.
enum Name {
  static let loop = "ours"
  static let queue = "ours, queue alone"
  static let uring = "io_uring"
  static let libuv = "libuv, 4 threads"
  static let libuv16 = "libuv, 16 threads"
}

extension Row.Contestant {
  static func peer(_ name: String, _ engine: bench_engine, threads: Int = 4) -> Self {
    Self(name) { try PeerContestant.measure(engine, $0, threads: threads) }
  }
}

enum Rows {
  /// All rows that this program measures, in the order of the document.
  static func all(_ files: WorkFiles) -> [any Measurable] {
    [1, 32].map { Row.cachedRead(files, depth: $0) }
      + [1, 4, 32].map { Row.directRead(files, depth: $0) }
      + [1, 32].map { Row.write(files, depth: $0) }
      + [Row.append(files)]
      + [1, 32].map { NIORows.reads(files, depth: $0) }
      + [1, 32].map { NIORows.writes(files, depth: $0) }
      + [1, 32].map { NIORows.loopReads(files, depth: $0) }
      + [1, 4].map { NIORows.loopReads(files, depth: $0, blocksPerRequest: 32) }
      + [NIORows.loopDirectReads(files, depth: 32)]
      + [1, 32].map { NIORows.loopWrites(files, depth: $0) }
      + [1, 32, 256].map { Row.awaitedRead(files, depth: $0) }
      + [EchoRow.besideCachedReads(files), .besideDirectReads(files)]
      + [Row.growingReads(files), .growingDirectReads(files), .growingWrites(files)]
      + [Row.growingFiles(files), EchoRow.growingConnections()]
      + [ConnectionMemoryRow(counts: ConnectionCount.all)]
      + [Row.operation(files, .yielding), Row.operation(files, .suspended)]
  }
}

extension Row {
  static func cachedRead(_ files: WorkFiles, depth: Int) -> Row {
    let plain = "preadv2 loop"
    let floors: (uring: Floor?, libuv: Floor?, plain: Floor?) =
      switch depth {
      case 1: (.atLeast(1), .atLeast(20), .atLeast(0.75))
      case 32: (.atLeast(0.95), .atLeast(1.5), nil)
      default: (nil, nil, nil)
      }
    return Row(
      "cached-\(depth)", "random 4 KiB reads, cached, depth \(depth)",
      Job(path: files.cached, blockCount: WorkFiles.blockCount, depth: depth),
      contestants: [
        Contestant(Name.loop, LoopContestant.read),
        Contestant(Name.queue, QueueContestant.read),
        .peer(Name.uring, BENCH_URING_READ),
        .peer(Name.libuv, BENCH_LIBUV_READ),
        .peer(plain, BENCH_PLAIN_READ),
      ],
      matches: [
        Match(Name.loop, against: Name.uring, floors.uring),
        Match(Name.loop, against: Name.libuv, floors.libuv),
        Match(Name.loop, against: plain, floors.plain),
        Match(Name.queue, against: Name.uring),
        Match(Name.queue, against: plain),
      ])
  }

  static func directRead(_ files: WorkFiles, depth: Int) -> Row {
    var job = Job(path: files.direct, blockCount: WorkFiles.blockCount, depth: depth)
    job.isDirect = true
    job.requestsPerLook = 16
    let plain = "pread loop"
    var contestants = [
      Contestant(Name.loop, LoopContestant.read),
      .peer(Name.uring, BENCH_URING_READ),
      .peer(Name.libuv, BENCH_LIBUV_READ),
    ]
    if depth > 1 { contestants.append(.peer(Name.libuv16, BENCH_LIBUV_READ, threads: 16)) }
    if depth == 1 { contestants.append(.peer(plain, BENCH_PLAIN_READ)) }
    return Row(
      "direct-\(depth)", "random 4 KiB reads, O_DIRECT, depth \(depth)", job,
      contestants: contestants,
      matches: [
        Match(Name.loop, against: Name.uring, depth == 32 ? .atLeast(0.92) : nil),
        Match(Name.loop, against: Name.libuv, depth == 32 ? .atLeast(1.4) : nil),
        Match(Name.loop, against: Name.libuv16),
        Match(Name.loop, against: plain),
      ])
  }

  static func write(_ files: WorkFiles, depth: Int) -> Row {
    let plain = "pwrite loop"
    return Row(
      "write-\(depth)", "sequential 4 KiB buffered writes, depth \(depth)",
      Job(path: files.written, blockCount: WorkFiles.writtenBlockCount, depth: depth),
      contestants: [
        Contestant(Name.loop, LoopContestant.write),
        .peer(Name.uring, BENCH_URING_WRITE),
        .peer(Name.libuv, BENCH_LIBUV_WRITE),
        .peer(plain, BENCH_PLAIN_WRITE),
      ],
      matches: [
        Match(Name.loop, against: Name.uring, depth == 32 ? .atLeast(1.4) : nil),
        Match(Name.loop, against: Name.libuv, depth == 32 ? .atLeast(1.1) : nil),
        Match(Name.loop, against: plain),
      ])
  }
}
