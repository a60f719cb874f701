import Dispatch
import PosixAIO
import Reactor
import SystemPackage
import TestSupport
import Testing

/// Tasks on the wrong thread, and tasks that are left: each is told of.
@Suite
struct TaskMisuseTests {
  @Test func startingATaskOfTheMainActorTraps() async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      try await MainActor.run {
        let loop = try EventLoop()
        // As at the top level of main.swift, the closure belongs to the main actor.
        loop.startTask { loop.stop() }
        loop.run(for: testDeadline)
      }
    }
    #expect(text(result).contains("this body belongs to the main actor"))
  }

  @Test func aSendableClosureIsRun_onTheMainActorsThread() async {
    await #expect(processExitsWith: .success) {
      try await MainActor.run {
        let loop = try EventLoop()
        loop.startTask { @Sendable in loop.stop() }
        loop.run()
      }
    }
  }

  @Test func readingTraps_inATaskOfNoLoop() async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      try EventLoop.run { loop in
        let file = try await File.open("/etc/services", .readOnly, on: loop)
        let task = Task.detached { () async throws in
          try await file.read(into: IOBuffer(capacity: 1), at: 0).count
        }
        _ = try await task.value
      }
    }
    #expect(text(result).contains("EventLoop: used off its thread"))
  }

  @Test func askingForStateTraps_onAnotherThread() async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      let loop = try EventLoop()
      let listener = try Listener(on: loop, .loopback(port: 0))
      try OtherThread.run { print(listener.isOpen) }
    }
    #expect(text(result).contains("EventLoop: an object of the loop was used off its thread"))
  }

  @Test func runningTraps_whileAnotherThreadRunsTheLoop() async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      let loop = try EventLoop()
      loop.schedule(after: .zero) {
        do { try OtherThread.run { loop.runOnce() } } catch { print(error) }
      }
      loop.run(for: testDeadline)
    }
    #expect(text(result).contains("EventLoop: another thread is running it"))
  }

  @Test func theEndOfRunTells_ofTasksThatDoNotEnd() async {
    let result = await #expect(processExitsWith: .success, observing: [\.standardErrorContent]) {
      var configuration = EventLoop.Configuration()
      configuration.cancellationGracePeriod = .milliseconds(1)
      try EventLoop.run(configuration: configuration) { loop in
        loop.startTask { await withCheckedContinuation { unsafe kept = $0 } }
        await Task.yield()
      }
    }
    #expect(text(result).contains("EventLoop: 1 of its tasks did not end within"))
  }

  @Test func theEndTells_ofATaskThatAHandlerOfTheEndStarts() async {
    let result = await #expect(processExitsWith: .success, observing: [\.standardErrorContent]) {
      var configuration = EventLoop.Configuration()
      configuration.cancellationGracePeriod = .zero
      let loop = try EventLoop(configuration: configuration)
      let isOver = DispatchSemaphore(value: 0)
      loop.offload({ isOver.wait() }, { _ in loop.startTask {} })
      loop.shutDown(within: .zero)
      isOver.signal()
    }
    #expect(text(result).contains("EventLoop: 1 of its tasks began too late"))
  }

  @Test func refusingTraps_onAnotherThread() async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      try EventLoop.run { loop in
        let file = try await File.open("/etc/services", .readOnly, on: loop)
        try OtherThread.run { file.truncate(to: -1) { _ in } }
      }
    }
    #expect(text(result).contains("EventLoop: used off its thread"))
  }

  @Test func receivingTraps_fromAConnectionOfAnotherLoop() async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      let (loop, other) = (try EventLoop(), try EventLoop())
      let peers = try Peers(on: other)
      let file = try loop.open("/dev/null", .writeOnly)
      file.receive(from: peers.server) { _ in }
    }
    #expect(text(result).contains("File: the input of another loop cannot be received"))
  }

  @Test func settingAHandlerTraps_whileATaskTakesTheClients() async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      try EventLoop.run { loop in
        let listener = try Listener(on: loop, .loopback(port: 0))
        let clients = listener.connections.makeAsyncIterator()
        listener.onConnection = { $0.abort() }
        withExtendedLifetime(clients) {}
      }
    }
    #expect(text(result).contains("Listener: clients go either to onConnection or to one task"))
  }

  private func text(_ result: ExitTest.Result?) -> String {
    String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
  }
}

/// Never resumed.
nonisolated(unsafe) private var kept: CheckedContinuation<Void, Never>?
