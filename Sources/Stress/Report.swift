import PosixAIO
import ProgramSupport

/// The results of the load.
struct LoadResult {
  let tally: Tally
  let took: Duration
  let statistics: CompletionQueue.Statistics
  let digest: UInt64

  init(_ load: Load, took: Duration, queue: CompletionQueue) {
    tally = load.tally
    self.took = took
    statistics = queue.statistics
    digest = load.digest
  }

  var seconds: Double { max(took / .seconds(1), 1e-9) }

  var latencies: [(name: String, latencies: Latencies, byteCount: Int)] {
    [
      ("reads", tally.reads, tally.readByteCount), ("writes", tally.writes, tally.writtenByteCount),
      ("syncs", tally.syncs, 0),
    ]
  }
}

/// The report of a run, as a table and as JSON.
struct Report {
  let options: StressOptions
  let seed: Int
  let result: LoadResult
  let findings: Findings
  let verifiedBlockCount: Int
  let isInterrupted: Bool

  static let percentiles: [(name: String, fraction: Double)] = [
    ("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999),
  ]

  var isVerified: Bool { findings.isEmpty && verifiedBlockCount == options.blockCount }

  /// The queue's counters, each with its label in the table and its key in the JSON.
  var queueStatistics: [(text: String, key: String, value: Int)] {
    let statistics = result.statistics
    return [
      ("served by the page cache", "cacheHits", Int(statistics.cacheHitCount)),
      ("merged writes", "mergedWrites", Int(statistics.mergedWriteCount)),
      ("merged syncs", "mergedSyncs", Int(statistics.mergedSyncCount)),
      ("submissions to glibc", "groups", Int(statistics.groupCount)),
      ("signals", "signals", Int(statistics.signalCount)),
      ("of them on other threads", "strays", Int(statistics.strayCount)),
      ("found by the backstop", "rescued", Int(statistics.rescuedCount)),
      ("completed while they ran", "abandoned", Int(statistics.abandonedCount)),
    ]
  }
}

extension Report {
  var json: JSON {
    let tally = result.tally
    return .object([
      ("verified", .bool(isVerified)),
      ("interrupted", .bool(isInterrupted)),
      ("seed", .integer(seed)),
      ("command", .string(options.replay(seed: seed))),
      ("sequenceDigest", .string(String(result.digest, radix: 16))),
      ("seconds", .number(result.seconds)),
      ("operations", .integer(tally.startedCount)),
      ("completed", .integer(tally.completedCount)),
      ("canceled", .integer(tally.canceledCount)),
      ("timedOut", .integer(tally.timedOutCount)),
      ("waited", .integer(tally.waitCount)),
      ("verifiedBlocks", .integer(verifiedBlockCount)),
      ("latencies", .object(result.latencies.map { ($0.name, json($0.latencies, $0.byteCount)) })),
      ("queue", .object(queueJSON)),
      ("findingCount", .integer(findings.count)),
      ("findings", .array(findings.first.map(json))),
    ])
  }

  private func json(_ latencies: Latencies, _ byteCount: Int) -> JSON {
    let percentiles = Self.percentiles.map { percentile in
      (
        "\(percentile.name)Microseconds",
        latencies.percentile(percentile.fraction).map { JSON.number($0 / .microseconds(1)) }
          ?? .null
      )
    }
    let maximum = latencies.count > 0 ? JSON.number(latencies.maximum / .microseconds(1)) : .null
    return .object(
      [
        ("count", .integer(latencies.count)),
        ("bytes", .integer(byteCount)),
        ("perSecond", .number(Double(latencies.count) / result.seconds)),
      ] + percentiles + [("maxMicroseconds", maximum)])
  }

  private var queueJSON: [(String, JSON)] {
    queueStatistics.map { ($0.key, .integer($0.value)) }
      + [("completionsPerWake", .number(result.statistics.completionsPerWake))]
  }

  private func json(_ finding: Finding) -> JSON {
    .object([
      ("what", .string(finding.what)),
      ("operation", finding.operation.map { .integer($0) } ?? .null),
      ("offset", finding.offset.map { .integer(Int($0)) } ?? .null),
    ])
  }
}
