internal import CPeers
internal import Measuring
internal import SystemPackage

/// Work at growing depths.
struct DepthRow {
  private static let depths = [1, 4, 16, 64, 256, 1024]

  let name: String
  let title: String
  let job: Job
  /// Ours first.
  let contestants: [Row.Contestant]

  var row: Row {
    Row(
      name, title, job,
      contestants: contestants.flatMap { contestant in
        Self.depths.map { depth in
          contestant.changed(to: "\(contestant.name), depth \(depth)") { $0.depth = depth }
            .placed(on: contestant.name, at: depth)
        }
      },
      matches: contestants.dropFirst().flatMap { peer in
        Self.depths.map { depth in
          Row.Match(
            "\(contestants[0].name), depth \(depth)", against: "\(peer.name), depth \(depth)")
        }
      },
      growth: "requests at a time")
  }
}

extension Row {
  static func growingReads(_ files: WorkFiles) -> Row {
    DepthRow(
      name: "depth-cached", title: "random 4 KiB reads, cached, at growing depth",
      job: Job(path: files.cached, blockCount: WorkFiles.blockCount, depth: 1),
      contestants: [
        Contestant(Name.loop, LoopContestant.read), .peer(Name.uring, BENCH_URING_READ),
        .peer(Name.libuv, BENCH_LIBUV_READ),
      ]
    ).row
  }

  static func growingDirectReads(_ files: WorkFiles) -> Row {
    var job = Job(path: files.direct, blockCount: WorkFiles.blockCount, depth: 1)
    job.isDirect = true
    job.requestsPerLook = 16
    return DepthRow(
      name: "depth-direct", title: "random 4 KiB reads, O_DIRECT, at growing depth", job: job,
      contestants: [
        Contestant(Name.loop, LoopContestant.read), .peer(Name.uring, BENCH_URING_READ),
        .peer(Name.libuv, BENCH_LIBUV_READ),
        .peer(Name.libuv16, BENCH_LIBUV_READ, threads: 16),
      ]
    ).row
  }

  static func growingWrites(_ files: WorkFiles) -> Row {
    DepthRow(
      name: "depth-write", title: "sequential 4 KiB buffered writes at growing depth",
      job: Job(path: files.written, blockCount: WorkFiles.writtenBlockCount, depth: 1),
      contestants: [
        Contestant(Name.loop, LoopContestant.write), .peer(Name.uring, BENCH_URING_WRITE),
        .peer(Name.libuv, BENCH_LIBUV_WRITE),
      ]
    ).row
  }

  static func growingFiles(_ files: WorkFiles) -> Row {
    let limit = bench_raise_open_file_limit()
    let (few, counts) = (FileCount.few, FileCount.all(openFileLimit: limit))
    let many = counts.last ?? few
    let lines = (
      idle: "ours, \(few) of them read", used: "ours, all read", plain: "preadv2 loop, all read"
    )
    let name = { (line: String, count: Int) in "\(line), of \(Table.count(count))" }
    return Row(
      "files-many", "random 4 KiB reads, cached, depth 32, with many files open",
      Job(path: files.cached, blockCount: WorkFiles.blockCount, depth: 32),
      contestants: counts.flatMap { count in
        [
          (Contestant(lines.idle, LoopContestant.read), few),
          (Contestant(lines.used, LoopContestant.read), count),
          (.peer(lines.plain, BENCH_PLAIN_READ), count),
        ].map { contestant, usedCount in
          contestant.changed(to: name(contestant.name, count)) {
            ($0.openCount, $0.usedCount) = (count, usedCount)
          }.placed(on: contestant.name, at: count)
        }
      },
      matches: [
        Match(costOf: name(lines.idle, many), against: name(lines.idle, few), .atMost(1.15)),
        Match(costOf: name(lines.used, many), against: name(lines.used, few)),
        Match(costOf: name(lines.plain, many), against: name(lines.plain, few)),
      ],
      note: many < 10_000
        ? "The limit of open files, \(limit), leaves \(many) files instead of 10,000." : nil,
      growth: "files open")
  }
}

/// How many files are open.
private enum FileCount {
  static let few = 10

  /// From ten to 10,000, or to what the limit of open files leaves, beside lanes.
  static func all(openFileLimit: Int64) -> [Int] {
    [few, 100, 1_000, max(2_000, min(10_000, Int(openFileLimit) - 1_000))]
  }
}

/// How many connections are open.
enum ConnectionCount {
  /// From ten to 10,000, or to what the limit of open files leaves: each has two ends here.
  static let all = [10, 100, 1_000, max(2_000, min(10_000, (limit - 200) / 2))]

  private static let limit = Int(bench_raise_open_file_limit())

  static let note: String? =
    all[3] < 10_000
    ? "The limit of open files leaves \(Table.count(all[3])) connections instead of 10,000."
    : nil
}

extension EchoRow {
  static func growingConnections() -> EchoRow {
    EchoRow(
      "connections-echo", "echo of 64 bytes with other connections open",
      ConnectionCount.all.map {
        Circumstance("\(Table.count($0)) idle", idleCount: $0)
      }, floor: .atMost(1.15), growth: "idle connections", note: ConnectionCount.note)
  }
}
