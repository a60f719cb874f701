import PosixAIO
import ProgramSupport
import Reactor

/// One figure in all its forms: Prometheus text, JSON and a row of the page.
struct Metric {
  enum Kind: String {
    case counter, gauge, summary
  }

  struct Sample {
    /// Names and values without quotes, backslashes or line ends.
    var labels: [(name: String, value: String)] = []
    var suffix = ""
    var value: Double
  }

  static let prefix = "aio_fileserver_"

  let name: String
  let kind: Kind
  let help: String
  let samples: [Sample]

  /// The text format of Prometheus.
  var prometheus: String {
    let name = Self.prefix + name
    let lines = samples.map { sample in
      let labels = sample.labels.map { "\($0.name)=\"\($0.value)\"" }.joined(separator: ",")
      return "\(name)\(sample.suffix)\(labels.isEmpty ? "" : "{\(labels)}") \(text(sample.value))\n"
    }
    return "# HELP \(name) \(help)\n# TYPE \(name) \(kind.rawValue)\n" + lines.joined()
  }

  /// A member of an object: a list of samples.
  var json: (String, JSON) {
    let items = samples.map { sample in
      let name = sample.suffix.isEmpty ? "value" : String(sample.suffix.dropFirst())
      let value = Int(exactly: sample.value).map(JSON.integer) ?? .number(sample.value)
      return JSON.object(sample.labels.map { ($0.name, .string($0.value)) } + [(name, value)])
    }
    return (name, .array(items))
  }

  /// Rows of a table.
  var rows: String {
    samples.map { sample in
      let labels =
        sample.labels.map { "\($0.name) \($0.value)" } + [String(sample.suffix.dropFirst())]
      return "<tr title=\"\(htmlEscaped(help))\"><td>\(htmlEscaped(name))</td>"
        + "<td>\(htmlEscaped(labels.filter { !$0.isEmpty }.joined(separator: ", ")))</td>"
        + "<td>\(text(sample.value))</td></tr>\n"
    }.joined()
  }

  private func text(_ value: Double) -> String {
    guard let whole = Int64(exactly: value) else { return "\(value)" }
    return "\(whole)"
  }
}

extension Snapshot {
  /// Everything, in the order in which it is shown.
  var metrics: [Metric] {
    [
      Metric(
        name: "uptime_seconds", kind: .gauge, help: "How long the server has run.",
        samples: [.init(value: Double(uptime.components.seconds))]),
      Metric(
        name: "answers_total", kind: .counter, help: "Answers by status.",
        samples: answerCounts.map {
          .init(labels: [("status", "\($0.status)")], value: Double($0.count))
        }),
      Metric(
        name: "log_dropped_bytes_total", kind: .counter,
        help: "Bytes of the access log that could not be written.",
        samples: [.init(value: Double(droppedLogByteCount))]),
    ] + serverMetrics + openFileMetrics + queueMetrics + loopMetrics
  }

  private var serverMetrics: [Metric] {
    [
      counter("sent_bytes_total", "Bytes of bodies sent.") { Double($0.server.sentByteCount) },
      counter("received_bytes_total", "Bytes of bodies received.") {
        Double($0.server.receivedByteCount)
      },
      counter("broken_answers_total", "Answers that did not get to their client whole.") {
        Double($0.server.brokenCount)
      },
      gauge("connections", "Open connections.") { Double($0.connectionCount) },
      gauge("answers_in_progress", "Requests that are being answered.") {
        Double($0.responsesInProgress)
      },
    ]
  }

  private var openFileMetrics: [Metric] {
    [
      counter("open_file_hits_total", "Files and names that needed no open.") {
        Double($0.openFiles.hitCount)
      },
      counter("open_file_misses_total", "Opens, of new names and to see what has changed.") {
        Double($0.openFiles.missCount)
      },
      gauge("open_files", "Files that are kept open.") { Double($0.openFiles.fileCount) },
      gauge("open_file_names", "Names that are kept without a file.") {
        Double($0.openFiles.nameCount)
      },
    ]
  }

  private var queueMetrics: [Metric] {
    [
      gauge("queue_in_flight", "File operations that glibc holds.") {
        Double($0.queue.inFlightCount)
      },
      gauge("queue_waiting", "File operations that wait for their turn.") {
        Double($0.queue.waitingCount)
      },
      gauge("queue_held_bytes", "Bytes in the buffers of unfinished file operations.") {
        Double($0.queue.heldByteCount)
      },
      counter("queue_completed_total", "File operations done.") {
        Double($0.queue.completedCount)
      },
      counter("queue_transferred_bytes_total", "Bytes read and written.") {
        Double($0.queue.transferredByteCount)
      },
      counter("queue_cache_hits_total", "Reads that the page cache answered at once.") {
        Double($0.queue.cacheHitCount)
      },
      counter("queue_rescued_total", "Operations that no signal had announced.") {
        Double($0.queue.rescuedCount)
      },
      summary("queue_waiting_seconds", "From acceptance to glibc.") { $0.queue.waitingTimes },
      summary("queue_service_seconds", "From glibc to the completion.") { $0.queue.serviceTimes },
    ]
  }

  private var loopMetrics: [Metric] {
    [
      counter("loop_turns_total", "Turns of the loop.") { Double($0.loop.turnCount) },
      counter("loop_calls_total", "Calls made for other threads.") { Double($0.loop.callCount) },
      summary("loop_timer_lag_seconds", "How late timers were.") { $0.loop.timerLags },
      summary("loop_busy_turn_seconds", "How long busy turns took.") { $0.loop.busyTurnTimes },
    ]
  }

  private func counter(
    _ name: String, _ help: String, _ value: (LoopSnapshot) -> Double
  ) -> Metric {
    perLoop(name, .counter, help, value)
  }

  private func gauge(_ name: String, _ help: String, _ value: (LoopSnapshot) -> Double) -> Metric {
    perLoop(name, .gauge, help, value)
  }

  private func perLoop(
    _ name: String, _ kind: Metric.Kind, _ help: String, _ value: (LoopSnapshot) -> Double
  ) -> Metric {
    Metric(
      name: name, kind: kind, help: help,
      samples: loops.enumerated().map { .init(labels: [("loop", "\($0)")], value: value($1)) })
  }

  private func summary(
    _ name: String, _ help: String, _ times: (LoopSnapshot) -> DurationHistogram
  ) -> Metric {
    let samples = loops.enumerated().flatMap { index, loop in
      let (times, label) = (times(loop), ("loop", "\(index)"))
      return [0.5, 0.9, 0.99, 1].map { fraction in
        Metric.Sample(
          labels: [label, ("quantile", "\(fraction)")],
          value: times.percentile(fraction) / .seconds(1))
      } + [
        Metric.Sample(labels: [label], suffix: "_sum", value: times.sum / .seconds(1)),
        Metric.Sample(labels: [label], suffix: "_count", value: Double(times.count)),
      ]
    }
    return Metric(name: name, kind: .summary, help: help, samples: samples)
  }
}
