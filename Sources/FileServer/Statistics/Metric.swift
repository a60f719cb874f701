import PosixAIO
import ProgramSupport
import Reactor

/// One metric in all its forms: Prometheus text, JSON and rows of the page.
struct Metric {
  enum Kind: String {
    case counter, gauge, summary
  }

  struct Sample {
    /// Label names and values must not contain quotes, backslashes or line ends.
    var labels: [(name: String, value: String)] = []
    var suffix = ""
    var value: Double
  }

  static let prefix = "aio_fileserver_"

  let name: String
  let kind: Kind
  let help: String
  let samples: [Sample]

  /// The metric in the text format of Prometheus.
  var prometheus: String {
    let name = Self.prefix + name
    let lines = samples.map { sample in
      let labels = sample.labels.map { "\($0.name)=\"\($0.value)\"" }.joined(separator: ",")
      return "\(name)\(sample.suffix)\(labels.isEmpty ? "" : "{\(labels)}") \(text(sample.value))\n"
    }
    return "# HELP \(name) \(help)\n# TYPE \(name) \(kind.rawValue)\n" + lines.joined()
  }

  /// The metric as a member of a JSON object: a list of samples.
  var json: (String, JSON) {
    let items = samples.map { sample in
      let name = sample.suffix.isEmpty ? "value" : String(sample.suffix.dropFirst())
      let value = Int(exactly: sample.value).map(JSON.integer) ?? .number(sample.value)
      return JSON.object(sample.labels.map { ($0.name, .string($0.value)) } + [(name, value)])
    }
    return (name, .array(items))
  }

  /// The metric as rows of the table.
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

extension ServerGroupStatistics {
  /// All metrics, in the order in which they are shown.
  var metrics: [Metric] {
    [
      Metric(
        name: "uptime_seconds", kind: .gauge, help: "Time since the server started.",
        samples: [.init(value: Double(uptime.components.seconds))]),
      Metric(
        name: "responses_total", kind: .counter, help: "Responses by status.",
        samples: responseCounts.map {
          .init(labels: [("status", "\($0.status)")], value: Double($0.count))
        }),
      Metric(
        name: "log_dropped_bytes_total", kind: .counter,
        help: "Bytes of log lines that were dropped.",
        samples: [.init(value: Double(droppedLogByteCount))]),
    ] + serverMetrics + openFileMetrics + queueMetrics + loopMetrics
  }

  private var serverMetrics: [Metric] {
    [
      counter("sent_bytes_total", "Bytes of bodies sent.") { Double($0.server.sentByteCount) },
      counter("received_bytes_total", "Bytes of bodies received.") {
        Double($0.server.receivedByteCount)
      },
      counter("broken_responses_total", "Responses that ended incomplete.") {
        Double($0.server.brokenCount)
      },
      gauge("connections", "Open connections.") { Double($0.connectionCount) },
      counter("refused_connections_total", "Connections over the limit of their address.") {
        Double($0.refusedConnectionCount)
      },
      gauge("responses_in_progress", "Responses in progress.") {
        Double($0.responsesInProgress)
      },
    ]
  }

  private var openFileMetrics: [Metric] {
    [
      counter("open_file_hits_total", "Lookups that needed no open.") {
        Double($0.openFiles.hitCount)
      },
      counter("open_file_misses_total", "Opens, of new paths and to check for changes.") {
        Double($0.openFiles.missCount)
      },
      gauge("open_files", "Cached open files.") { Double($0.openFiles.fileCount) },
      gauge("open_file_names", "Cached names without a file.") {
        Double($0.openFiles.nameCount)
      },
    ]
  }

  private var queueMetrics: [Metric] {
    [
      gauge("queue_in_flight", "File operations submitted to glibc.") {
        Double($0.queue.inFlightCount)
      },
      gauge("queue_waiting", "File operations waiting to be submitted.") {
        Double($0.queue.waitingCount)
      },
      gauge("queue_held_bytes", "Bytes in the buffers of unfinished file operations.") {
        Double($0.queue.heldByteCount)
      },
      counter("queue_completed_total", "Completed file operations.") {
        Double($0.queue.completedCount)
      },
      counter("queue_transferred_bytes_total", "Bytes read and written.") {
        Double($0.queue.transferredByteCount)
      },
      counter("queue_cache_hits_total", "Reads served from the page cache.") {
        Double($0.queue.cacheHitCount)
      },
      counter("queue_rescued_total", "Operations completed without a signal.") {
        Double($0.queue.rescuedCount)
      },
      summary("queue_waiting_seconds", "Time from enqueueing to submission.") {
        $0.queue.waitingTimes
      },
      summary("queue_service_seconds", "Time from submission to completion.") {
        $0.queue.serviceTimes
      },
    ]
  }

  private var loopMetrics: [Metric] {
    [
      counter("loop_turns_total", "Turns of the loop.") { Double($0.loop.turnCount) },
      counter("loop_calls_total", "Calls from other threads.") { Double($0.loop.callCount) },
      summary("loop_timer_lag_seconds", "Delay of timers.") { $0.loop.timerLags },
      summary("loop_busy_turn_seconds", "Duration of busy turns.") { $0.loop.busyTurnTimes },
    ]
  }

  private func counter(
    _ name: String, _ help: String, _ value: (LoopStatistics) -> Double
  ) -> Metric {
    perLoop(name, .counter, help, value)
  }

  private func gauge(
    _ name: String, _ help: String, _ value: (LoopStatistics) -> Double
  ) -> Metric {
    perLoop(name, .gauge, help, value)
  }

  private func perLoop(
    _ name: String, _ kind: Metric.Kind, _ help: String, _ value: (LoopStatistics) -> Double
  ) -> Metric {
    Metric(
      name: name, kind: kind, help: help,
      samples: loops.enumerated().map { .init(labels: [("loop", "\($0)")], value: value($1)) })
  }

  private func summary(
    _ name: String, _ help: String, _ times: (LoopStatistics) -> DurationHistogram
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
