#if Metrics
  internal import CoreMetrics
  internal import PosixAIO
  internal import Reactor

  /// All statistics at one moment.
  struct Snapshot {
    let queue: CompletionQueue.Statistics
    let loop: EventLoop.Statistics
  }

  /// Makes metrics with shared dimensions.
  struct MetricMaker {
    let factory: any MetricsFactory
    let dimensions: [(String, String)]

    func counter(_ label: String) -> Counter {
      Counter(label: "reactor." + label, dimensions: dimensions, factory: factory)
    }

    func meter(_ label: String, _ more: [(String, String)] = []) -> Meter {
      Meter(label: "reactor." + label, dimensions: dimensions + more, factory: factory)
    }

    func timer(_ label: String, _ more: [(String, String)]) -> CoreMetrics.Timer {
      CoreMetrics.Timer(
        label: "reactor." + label, dimensions: dimensions + more, factory: factory)
    }
  }

  /// A growing statistic, exported as a counter, and its last exported value.
  struct ExportedCounter {
    private let counter: Counter
    private let value: (Snapshot) -> UInt64
    private var exported: UInt64 = 0

    private init(_ counter: Counter, _ value: @escaping (Snapshot) -> UInt64) {
      self.counter = counter
      self.value = value
    }

    mutating func export(_ snapshot: Snapshot) {
      let value = self.value(snapshot)
      guard value > exported else { return }
      counter.increment(by: value - exported)
      exported = value
    }

    static func all(_ maker: MetricMaker) -> [ExportedCounter] {
      let statistics: [(String, (Snapshot) -> UInt64)] = [
        ("queue.completed", \.queue.completedCount),
        ("queue.transferred_bytes", \.queue.transferredByteCount),
        ("queue.cache_hits", \.queue.cacheHitCount),
        ("queue.merged_writes", \.queue.mergedWriteCount),
        ("queue.merged_syncs", \.queue.mergedSyncCount),
        ("queue.groups", \.queue.groupCount),
        ("queue.signals", \.queue.signalCount),
        ("queue.stray_signals", \.queue.strayCount.magnitude),
        ("queue.rescued", \.queue.rescuedCount),
        ("queue.wakes", \.queue.wakeCount),
        ("queue.abandoned", \.queue.abandonedCount),
        ("loop.turns", \.loop.turnCount),
        ("loop.calls", \.loop.callCount),
        ("loop.task_parts", \.loop.jobCount),
        ("loop.uncopied_file_bytes", \.loop.uncopiedFileByteCount),
        ("loop.copied_file_bytes", \.loop.copiedFileByteCount),
      ]
      return statistics.map { label, value in ExportedCounter(maker.counter(label), value) }
    }
  }

  /// A statistic that goes up and down, exported as a meter.
  struct ExportedMeter {
    private let meter: Meter
    private let value: (Snapshot) -> Double

    func export(_ snapshot: Snapshot) {
      meter.set(value(snapshot))
    }

    static func all(_ maker: MetricMaker) -> [ExportedMeter] {
      let statistics: [(String, (Snapshot) -> Int)] = [
        ("queue.in_flight", \.queue.inFlightCount),
        ("queue.waiting", \.queue.waitingCount),
        ("queue.held_bytes", \.queue.heldByteCount),
      ]
      return statistics.map { label, value in
        ExportedMeter(meter: maker.meter(label)) { Double(value($0)) }
      } + percentiles(maker, "loop.timer_lag_seconds", \.loop.timerLags)
        + percentiles(maker, "loop.busy_turn_seconds", \.loop.busyTurnTimes)
    }

    private static func percentiles(
      _ maker: MetricMaker, _ label: String, _ histogram: @escaping (Snapshot) -> DurationHistogram
    ) -> [ExportedMeter] {
      [0.5, 0.99].map { fraction in
        ExportedMeter(meter: maker.meter(label, [("quantile", "\(fraction)")])) { snapshot in
          histogram(snapshot).percentile(fraction) / .seconds(1)
        }
      }
    }
  }

  /// Records the times of operations by kind.
  final class OperationTimes: CompletionQueueObserver {
    private let maker: MetricMaker
    private var timers: [String: (waiting: CoreMetrics.Timer, service: CoreMetrics.Timer)] = [:]

    init(_ maker: MetricMaker) {
      self.maker = maker
    }

    func queue(
      _ queue: CompletionQueue, finished operation: FileError.Operation, waiting: Duration,
      service: Duration
    ) {
      let timers = timers(of: operation)
      timers.waiting.recordNanoseconds(waiting.nanoseconds)
      timers.service.recordNanoseconds(service.nanoseconds)
    }

    private func timers(
      of operation: FileError.Operation
    ) -> (waiting: CoreMetrics.Timer, service: CoreMetrics.Timer) {
      let name = operation.description
      if let timers = timers[name] { return timers }
      let dimension = [("operation", name)]
      let made = (
        waiting: maker.timer("queue.waiting_time", dimension),
        service: maker.timer("queue.service_time", dimension)
      )
      timers[name] = made
      return made
    }
  }

  extension Duration {
    fileprivate var nanoseconds: Int64 { Int64((self / .nanoseconds(1)).rounded()) }
  }
#endif
