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
