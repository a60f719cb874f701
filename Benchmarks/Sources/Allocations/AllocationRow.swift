internal import CAllocationCounter
internal import Measuring
internal import SystemPackage

/// Heap allocations per request in the steady state, in all threads.
enum AllocationRow {
  private static let blockCount: Int64 = 4096

  static func measure(_ path: FilePath, rounds: Int) throws -> RowResult {
    try WorkFile.make(path, blockCount: blockCount, isCached: true, isReused: false)
    let cases: [(name: String, depth: Int, limit: Double, run: (Job) throws -> Sample)] = [
      ("cached read, depth 1", 1, AllocationLimits.cachedRead, LoopContestant.read),
      ("cached read, depth 32", 32, AllocationLimits.cachedRead, LoopContestant.read),
      ("buffered write, depth 1", 1, AllocationLimits.loneWrite, LoopContestant.write),
      ("buffered write, depth 32", 32, AllocationLimits.groupedWrite, LoopContestant.write),
      ("data sync, depth 1", 1, AllocationLimits.sync, LoopContestant.sync),
    ]
    var figures = try cases.map { one in
      let job = Job(path: path, blockCount: blockCount, depth: one.depth)
      return (one.name, one.limit, try (0..<rounds).map { _ in try perRequest(job, one.run) })
    }
    figures.append(
      ("echo, both ends", AllocationLimits.echo, try (0..<rounds).map { _ in try perEcho() }))
    return result(
      name: "allocations", title: "heap allocations per request, steady state", figures,
      note: "Of all threads: glibc's own for each group of requests are among them.")
  }

  static func result(
    name: String, title: String, _ figures: [(name: String, limit: Double, figures: [Double])],
    note: String
  ) -> RowResult {
    RowResult(
      name: name, title: title, unit: "allocations",
      contestants: figures.map { ContestantResult(name: $0.name, figures: $0.figures) },
      comparisons: figures.map {
        Comparison(
          ours: $0.name, peer: nil, ratio: Spread(of: $0.figures), floor: .atMost($0.limit))
      },
      note: note)
  }

  /// From a short and a long run: what starting and ending take is in both of them and goes away in
  /// the difference.
  private static func perRequest(_ job: Job, _ run: (Job) throws -> Sample) throws -> Double {
    var long = job
    long.nanoseconds = job.nanoseconds * 4
    let short = try counted(job, run)
    let full = try counted(long, run)
    return Double(full.allocations - short.allocations)
      / Double(max(1, full.requests - short.requests))
  }

  /// Of both ends, which are of one loop.
  private static func perEcho() throws -> Double {
    let warmUp = 1000
    let messageCount = 10_000
    var counts: [Int64] = []
    counts.reserveCapacity(2)
    try EchoExchange.run(messageCount: warmUp + messageCount) { number in
      if number == warmUp || number == warmUp + messageCount { counts.append(count_allocations()) }
    }
    return Double(counts[1] - counts[0]) / Double(messageCount)
  }

  private static func counted(
    _ job: Job, _ run: (Job) throws -> Sample
  ) throws -> (allocations: Int64, requests: Int64) {
    let before = count_allocations()
    let sample = try run(job)
    precondition(sample.failed == 0, "AllocationRow: every request is right")
    return (count_allocations() - before, sample.total)
  }
}
