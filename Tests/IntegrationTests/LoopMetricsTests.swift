#if Metrics
  import MetricsTestKit
  import PosixAIO
  import Reactor
  import ReactorMetrics
  import SystemPackage
  import TestSupport
  import XCTest

  final class LoopMetricsTests: XCTestCase {
    func test_countersGrowByWhatWasDoneSinceTheLastExport_andMetersShowTheMoment() throws {
      let (folder, loop, factory) = (try TemporaryDirectory(), try EventLoop(), TestMetrics())
      try folder.write([UInt8](repeating: 1, count: 1000), to: "file")
      let metrics = LoopMetrics(of: loop, name: "test", every: .seconds(3600), factory: factory)
      try loop.run { loop in
        let file = try await File.open(folder.path.appending("file"), .readWrite, on: loop)
        _ = try await file.read(into: IOBuffer(capacity: 1000), at: 0)
        try await file.dataSync()
        try await file.close()
      }
      metrics.stop()
      metrics.stop()
      let dimensions = [("loop", "test")]
      let completed = try factory.expectCounter("reactor.queue.completed", dimensions)
      XCTAssertEqual(completed.totalValue, Int64(loop.queue.statistics.completedCount))
      XCTAssertEqual(completed.values.count, 1)
      let bytes = try factory.expectCounter("reactor.queue.transferred_bytes", dimensions)
      XCTAssertEqual(bytes.totalValue, 1000)
      let parts = try factory.expectCounter("reactor.loop.task_parts", dimensions)
      XCTAssertGreaterThan(parts.totalValue, 0)
      let held = try factory.expectMeter("reactor.queue.held_bytes", dimensions)
      XCTAssertEqual(held.lastValue, 0)
      let service = try factory.expectTimer(
        "reactor.queue.service_time", dimensions + [("operation", "data sync")])
      XCTAssertEqual(service.values.count, 1)
      loop.close()
    }

    func test_figuresAreExportedAgainAndAgain_untilItIsStopped() throws {
      let (loop, factory) = (try EventLoop(), TestMetrics())
      let metrics = LoopMetrics(of: loop, name: "test", every: .milliseconds(1), factory: factory)
      let turns = try factory.expectCounter("reactor.loop.turns", [("loop", "test")])
      XCTAssertTrue(loop.run(until: { turns.values.count >= 3 }, timeout: testDeadline))
      metrics.stop()
      let count = turns.values.count
      loop.run(for: .milliseconds(5))
      XCTAssertEqual(turns.values.count, count)
      XCTAssertLessThanOrEqual(turns.totalValue, Int64(loop.statistics.turnCount))
      loop.close()
    }

    func test_exporterGoesWithItsLoop() throws {
      let (loop, factory) = (try EventLoop(), TestMetrics())
      func start() -> LoopMetrics { LoopMetrics(of: loop, name: "test", factory: factory) }
      weak let metrics = start()
      XCTAssertNotNil(metrics)
      loop.close()
      XCTAssertNil(metrics)
    }
  }
#endif
