#if Metrics
  public import CoreMetrics
  internal import PosixAIO
  public import Reactor

  /// Exports the statistics of a loop and of its completion queue to swift-metrics.
  ///
  /// ```swift
  /// LoopMetrics(of: loop, name: "files")
  /// ```
  ///
  /// What grows is a `Counter`, what goes up and down a `Meter`; both are read from the statistics
  /// at an interval, by a timer of the loop. How long operations wait and run is a `Timer` for each
  /// kind, which gets every operation that glibc has run. The loop's own times are exported as the
  /// median and the 99th percentile since the loop was made. Every label begins with `reactor.`,
  /// and every metric has the dimension `loop`. The article Integrations lists them.
  ///
  /// It lives, kept or not, until ``stop()`` or until the loop is closed.
  @safe
  public final class LoopMetrics {
    private unowned let loop: EventLoop
    private var timer: EventLoop.Timer?
    private var counters: [Growing] = []
    private var meters: [Moving] = []
    private let times: OperationTimes

    /// Begins to export.
    ///
    /// - Parameters:
    ///   - loop: The loop. Its queue's ``CompletionQueue/observer`` is replaced.
    ///   - name: The value of the dimension `loop`, to tell several loops apart.
    ///   - interval: How often statistics are read; more than 0.
    ///   - factory: Makes the metrics.
    @discardableResult
    public init(
      of loop: EventLoop, name: String, every interval: Duration = .seconds(10),
      factory: any MetricsFactory = MetricsSystem.factory
    ) {
      self.loop = loop
      let maker = Maker(factory: factory, dimensions: [("loop", name)])
      times = OperationTimes(maker)
      counters = Growing.all(maker)
      meters = Moving.all(maker)
      loop.queue.observer = times
      timer = loop.schedule(every: interval) { [self] in export() }
    }

    /// Exports the statistics of this moment, and no more afterwards.
    public func stop() {
      // Not scheduled once it was stopped, or its loop has ended.
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
