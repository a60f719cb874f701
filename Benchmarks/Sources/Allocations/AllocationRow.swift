internal import CAllocationCounter
internal import Measuring
internal import SystemPackage

/// Heap allocations per request in the steady state, in all threads.
enum AllocationRow {
  private static let blockCount: Int64 = 4096

  static func measure(_ path: FilePath, rounds: Int) throws -> RowResult {
    try WorkFile.make(path, blockCount: blockCount, isCached: true, isReused: false)
    let cases: [(name: String, depth: Int, run: (Job) throws -> Sample)] = [
      ("cached read, depth 1", 1, LoopContestant.read),
      ("cached read, depth 32", 32, LoopContestant.read),
      ("buffered write, depth 1", 1, LoopContestant.write),
      ("buffered write, depth 32", 32, LoopContestant.write),
      ("data sync, depth 1", 1, LoopContestant.sync),
    ]
    let figures = try cases.map { one in
      let job = Job(path: path, blockCount: blockCount, depth: one.depth)
      return (one.name, try (0..<rounds).map { _ in try perRequest(job, one.run) })
    }
    return RowResult(
      name: "allocations", title: "heap allocations per request, steady state",
      unit: "allocations", figures: figures, floor: .atMost(1),
      note: "Of all threads: glibc's own for each group of requests are among them.")
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

  private static func counted(
    _ job: Job, _ run: (Job) throws -> Sample
  ) throws -> (allocations: Int64, requests: Int64) {
    let before = count_allocations()
    let sample = try run(job)
    precondition(sample.failed == 0, "AllocationRow: every request is right")
    return (count_allocations() - before, sample.total)
  }
}
