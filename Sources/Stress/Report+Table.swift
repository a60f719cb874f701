import PosixAIO

extension Report {
  private static let labelWidth = 26
  private static let columnWidth = 9

  /// The report as text.
  var table: String {
    let tally = result.tally
    var lines = [
      row("", ["count", "per s", "MiB/s"] + Self.percentiles.map(\.name) + ["max"])
    ]
    for (name, latencies, byteCount) in result.latencies {
      lines.append(latencyRow(name, latencies, byteCount))
    }
    lines.append("")
    lines.append(
      row("ended", ["\(tally.startedCount)", "in \(tenths(result.seconds)) s"]))
    for (name, count) in [
      ("with a result", tally.completedCount), ("cancelled", tally.canceledCount),
      ("timed out", tally.timedOutCount), ("waited for their block", tally.waitCount),
    ] {
      lines.append(row("  \(name)", ["\(count)"]))
    }
    lines.append("the queue")
    for entry in queueStatistics { lines.append(row("  \(entry.text)", ["\(entry.value)"])) }
    lines.append(row("  completions per wake-up", [tenths(result.statistics.completionsPerWake)]))
    lines.append("")
    lines.append(verdict)
    return lines.joined(separator: "\n")
  }

  private var verdict: String {
    let early = isInterrupted ? ", ended early" : ""
    guard isVerified else {
      return "NOT VERIFIED: \(findings.count) findings, seed \(seed)\(early)"
    }
    return
      "verified: each completion once, all \(verifiedBlockCount) blocks, seed \(seed)\(early)"
  }

  private func latencyRow(_ name: String, _ latencies: Latencies, _ byteCount: Int) -> String {
    let mebibytes = Double(byteCount) / Double(1 << 20) / result.seconds
    let rate = Double(latencies.count) / result.seconds
    let percentiles = Self.percentiles.map { text(latencies.percentile($0.fraction)) }
    return row(
      name,
      ["\(latencies.count)", "\(Int(rate))", byteCount > 0 ? tenths(mebibytes) : "-"] + percentiles
        + [text(latencies.count > 0 ? latencies.maximum : nil)])
  }

  private func row(_ label: String, _ cells: [String]) -> String {
    let label = label + String(repeating: " ", count: max(0, Self.labelWidth - label.count))
    return label
      + cells.map { String(repeating: " ", count: max(1, Self.columnWidth - $0.count)) + $0 }
      .joined()
  }

  private func text(_ duration: Duration?) -> String {
    guard let duration else { return "-" }
    let microseconds = duration / .microseconds(1)
    return switch microseconds {
    case ..<1000: "\(tenths(microseconds)) us"
    case ..<1_000_000: "\(tenths(microseconds / 1000)) ms"
    default: "\(tenths(microseconds / 1_000_000)) s"
    }
  }

  private func tenths(_ value: Double) -> String {
    "\((value * 10).rounded() / 10)"
  }
}
