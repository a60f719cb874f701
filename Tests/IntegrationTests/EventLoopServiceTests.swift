#if ServiceLifecycle
  import Logging
  import PosixAIO
  import Reactor
  import ReactorServiceLifecycle
  import ServiceLifecycle
  import Synchronization
  import SystemPackage
  import TestSupport
  import XCTest

  final class EventLoopServiceTests: XCTestCase {
    func test_loopServes_untilTheGroupShutsDown_andThenTakesInNobody() async throws {
      let (ports, port) = AsyncStream<UInt16>.makeStream()
      let service = EventLoopService { loop in
        let listener = try Listener(on: loop, .loopback(port: 0))
        listener.onConnection = { connection in
          connection.onReceive = { connection, bytes in
            do throws(Errno) { try connection.write(bytes) } catch { connection.abort() }
            return bytes.byteCount
          }
        }
        port.yield(listener.address.port)
      }
      try await withGroup(of: service) { group in
        let first = await ports.first { _ in true }
        let port = try XCTUnwrap(first)
        let echo = try EventLoop.run { loop in
          let connection = try await Connection.connect(to: "127.0.0.1", port: port, on: loop)
          try await connection.write([7])
          defer { connection.abort() }
          return try await connection.read()
        }
        XCTAssertEqual(echo, [7])
        await group.triggerGracefulShutdown()
      }
    }

    func test_shutDownWaitsForATask_thatEndsOnlyThen() async throws {
      let (ends, end) = AsyncStream<Void>.makeStream()
      let (starts, started) = AsyncStream<Void>.makeStream()
      let hasEnded = Mutex(false)
      let service = EventLoopService(willShutDown: { _ in end.finish() }) { loop in
        loop.startTask {
          started.yield()
          for await _ in ends {}
          hasEnded.withLock { $0 = true }
        }
      }
      try await withGroup(of: service) { group in
        _ = await starts.first { _ in true }
        await group.triggerGracefulShutdown()
      }
      XCTAssertTrue(hasEnded.withLock { $0 })
    }

    func test_shutDownCutsOffWhatNeverEnds_whenTheTimeIsOver() async throws {
      let (results, finished) = AsyncStream<Errno?>.makeStream()
      let ends = try FileDescriptor.pipe()
      let (starts, started) = AsyncStream<Void>.makeStream()
      let service = EventLoopService(shutDownTimeout: .milliseconds(1)) { loop in
        let file = AIOFile(ends.readEnd, queue: loop.queue)
        try file.read(into: IOBuffer(capacity: 1), at: 0) { result, _ in
          if case .failure(let error) = result { finished.yield(error.errno) }
        }
        started.yield()
      }
      try await withGroup(of: service) { group in
        _ = await starts.first { _ in true }
        await group.triggerGracefulShutdown()
      }
      let errno = await results.first { _ in true }
      XCTAssertEqual(errno, .canceled)
      try ends.writeEnd.close()
    }

    func test_failureToStartEndsTheService() async throws {
      let service = EventLoopService { _ in throw Errno.addressInUse }
      do {
        try await service.run()
        XCTFail("the service has started")
      } catch {
        XCTAssertEqual(error as? Errno, .addressInUse)
      }
    }

    func test_cancelledServiceEnds_alsoBeforeItHasBegun() async throws {
      let service = EventLoopService(shutDownTimeout: .seconds(3600)) { loop in
        loop.startTask { try? await Task.sleep(for: .seconds(3600)) }
      }
      let task = Task { try await service.run() }
      task.cancel()
      try await task.value
    }

    private func withGroup(
      of service: EventLoopService, _ body: (ServiceGroup) async throws -> Void
    ) async throws {
      let group = ServiceGroup(services: [service], logger: Logger(label: "test"))
      async let end: Void = group.run()
      try await body(group)
      try await end
    }
  }
#endif
