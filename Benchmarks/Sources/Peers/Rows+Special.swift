internal import CPeers
internal import Measuring
internal import SystemPackage

extension Row {
  static func append(_ files: WorkFiles) -> Row {
    var job = Job(path: files.log, blockCount: 1, depth: 64)
    job.requestsPerLook = 1
    let plain = "pwrite of all, one fdatasync"
    return Row(
      "append-64", "64 appenders of 128 bytes, each waits until its record is durable", job,
      contestants: [
        Contestant(Name.loop, LoopContestant.append),
        .peer(Name.uring, BENCH_URING_APPEND),
        .peer(Name.libuv, BENCH_LIBUV_APPEND),
        .peer(plain, BENCH_PLAIN_APPEND),
      ],
      matches: [
        Match(Name.loop, against: Name.libuv, .atLeast(8)),
        Match(Name.loop, against: Name.uring),
        Match(Name.loop, against: plain),
      ],
      prepare: { try WorkFile.makeEmpty(files.log) })
  }

  static func fileCount(_ files: WorkFiles) -> Row {
    let limit = bench_raise_open_file_limit()
    let (few, many) = (FileCount.few, FileCount.many(openFileLimit: limit))
    let all = Table.number(Double(many))
    let names = (
      few: "ours, \(few) open", idle: "ours, \(all) open, \(few) read",
      used: "ours, \(all) open, all read"
    )
    let plain = (few: "preadv2 loop, \(few) open", used: "preadv2 loop, \(all) open, all read")
    let peer = { (job: Job) in try PeerContestant.measure(BENCH_PLAIN_READ, job) }
    return Row(
      "files-many", "random 4 KiB reads, cached, depth 32, with many files open",
      Job(path: files.cached, blockCount: WorkFiles.blockCount, depth: 32),
      contestants: [
        FileCount.contestant(names.few, openCount: few, usedCount: few, LoopContestant.read),
        FileCount.contestant(names.idle, openCount: many, usedCount: few, LoopContestant.read),
        FileCount.contestant(names.used, openCount: many, usedCount: many, LoopContestant.read),
        FileCount.contestant(plain.few, openCount: few, usedCount: few, peer),
        FileCount.contestant(plain.used, openCount: many, usedCount: many, peer),
      ],
      matches: [
        Match(costOf: names.idle, against: names.few, .atMost(1.15)),
        Match(costOf: names.used, against: names.few),
        Match(costOf: plain.used, against: plain.few),
      ],
      note: many < 10_000
        ? "The limit of open files, \(limit), leaves \(many) files instead of 10,000." : nil)
  }

  static func operation(
    _ files: WorkFiles, _ waiting: OperationContestant.Waiting
  ) -> Row {
    let (name, title, engine) =
      switch waiting {
      case .yielding: ("yield", "sched_yield", BENCH_AIO_YIELD)
      case .suspended: ("suspend", "aio_suspend", BENCH_AIO_SUSPEND)
      }
    // In this process: glibc's helper threads do not outlive a fork.
    let peer = { (job: Job) in try PeerContestant.measure(engine, job, isIsolated: false) }
    return Row(
      "operation-\(name)", "one 4 KiB read, cached, by an AIORead, waiting by \(title)",
      Job(path: files.cached, blockCount: WorkFiles.blockCount, depth: 1),
      contestants: [
        Contestant("AIORead") { try OperationContestant.read($0, waiting) },
        Contestant("aio_read in C", peer),
      ],
      matches: [Match(costOf: "AIORead", against: "aio_read in C", .atMost(1.1))],
      fineness: 4)
  }
}
