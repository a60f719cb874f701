import Glibc
import Reactor
import SystemPackage
import TestSupport
import XCTest

/// Durations that no clock can be added to mean never: nothing traps, and nothing has passed at
/// once.
final class LongestTimesTests: XCTestCase {
  private static let longest: [Duration] = [
    .seconds(Int64.max), .seconds(Int64.max) * 18, .seconds(10 * 365 * 24 * 60 * 60),
    .seconds(1 << 40),
  ]

  func test_timersOfTheLongestDelaysNeverFire_andCostNoTurns() throws {
    for longest in Self.longest {
      let loop = try EventLoop()
      let timers = [
        loop.schedule(after: longest) { XCTFail("\(longest)") },
        loop.schedule(every: longest) { XCTFail("\(longest)") },
      ]
      let isMet = loop.run(until: { false }, timeout: .milliseconds(20))
      XCTAssertFalse(isMet)
      XCTAssertLessThan(loop.statistics.turnCount, 10)
      XCTAssertTrue(timers.allSatisfy { $0.isScheduled })
      XCTAssertTrue(loop.run(until: { true }, timeout: longest))
      for timer in timers { timer.cancel() }
    }
  }

  func test_connectionsWithTheLongestTimeoutsWork_andIdleWithoutTurns() throws {
    for longest in Self.longest {
      let loop = try EventLoop()
      var limits = Connection.Configuration()
      (limits.inputTimeout, limits.outputTimeout) = (longest, longest)
      (limits.closeTimeout, limits.lingerTimeout) = (longest, longest)
      limits.keepAliveIdleTime = longest
      var configuration = Listener.Configuration()
      configuration.connection = limits
      (configuration.connectionLimit, configuration.backlog) = (.max, .max)
      configuration.retryDelay = longest
      let listener = try Listener(on: loop, .loopback(port: 0), configuration: configuration)
      var server: Connection?
      var client: Connection?
      listener.onConnection = { server = $0 }
      Connection.connect(to: listener.address, on: loop, timeout: longest, configuration: limits) {
        result in
        expectNoThrow { client = try result.get() }
      }
      loop.run(until: { server != nil && client != nil }, timeout: testDeadline)
      let ends = (client: try XCTUnwrap(client), server: try XCTUnwrap(server))
      let record = Record(of: ends.server)
      // More than the socket takes, so that output waits with its time-out too.
      ends.server.pauseReceiving()
      try ends.client.write([UInt8](repeating: 1, count: 30_000_000))
      // Once the kernel accepts no more, a period passes without turns.
      let end = ContinuousClock.now + testDeadline
      var turnCount: UInt64
      repeat {
        let before = loop.statistics.turnCount
        loop.run(for: .milliseconds(20))
        turnCount = loop.statistics.turnCount - before
      } while turnCount >= 10 && .now < end
      XCTAssertLessThan(turnCount, 10, "\(longest)")
      XCTAssertTrue(ends.client.isOpen && ends.server.isOpen)
      ends.server.resumeReceiving()
      ends.client.close()
      XCTAssertTrue(loop.run(until: { record.didEnd }, timeout: testDeadline))
      XCTAssertEqual(record.bytes.count, 30_000_000)
      ends.client.abort()
      ends.server.abort()
      listener.close()
    }
  }
}
