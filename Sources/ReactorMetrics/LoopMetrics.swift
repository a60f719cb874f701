#if Metrics
  public import CoreMetrics
  internal import PosixAIO
  public import Reactor

  /// Exports the statistics of a loop and its completion queue to swift-metrics.
  ///
  /// ```swift
  /// LoopMetrics(of: loop, name: "files")
  /// ```
  ///
  /// Growing statistics are exported as a `Counter`, others as a `Meter`; a timer of the loop reads
  /// them at an interval. The waiting and service times of operations are a `Timer` for each kind
  /// and include every operation that glibc ran. The loop's own times are exported as the median
  /// and the 99th percentile since the loop was created. Every label begins with `reactor.`, and
  /// every metric has the dimension `loop`. The article Integrations lists them.
  ///
  /// It runs until ``stop()`` or until the loop closes, even if you drop every reference.
  @safe
  public final class LoopMetrics {
    private unowned let loop: EventLoop
    private var timer: EventLoop.Timer?
    private var counters: [ExportedCounter] = []
    private var meters: [ExportedMeter] = []
    private let times: OperationTimes

    /// Starts exporting.
    ///
    /// - Parameters:
    ///   - loop: The loop to export. This replaces its queue's ``CompletionQueue/observer``.
    ///   - name: The value of the dimension `loop`, which distinguishes several loops.
    ///   - interval: How often to read the statistics; more than 0.
    ///   - factory: The factory that makes the metrics.
    @discardableResult
    public init(
      of loop: EventLoop, name: String, every interval: Duration = .seconds(10),
      factory: any MetricsFactory = MetricsSystem.factory
    ) {
      self.loop = loop
      let maker = MetricMaker(factory: factory, dimensions: [("loop", name)])
      times = OperationTimes(maker)
      counters = ExportedCounter.all(maker)
      meters = ExportedMeter.all(maker)
      loop.queue.observer = times
      timer = loop.schedule(every: interval) { [self] in export() }
    }

    /// Exports the current statistics, and then stops.
    public func stop() {
      // The timer is not scheduled after a stop or the loop's end.
      guard let timer, timer.isScheduled else { return }
      timer.cancel()
      export()
      if loop.queue.observer === times { loop.queue.observer = nil }
    }

    private func export() {
      let snapshot = Snapshot(queue: loop.queue.statistics, loop: loop.statistics)
      for index in counters.indices { counters[index].export(snapshot) }
      for meter in meters { meter.export(snapshot) }
    }
  }
#endif
