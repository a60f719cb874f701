import PosixAIO
import Reactor
import SystemPackage
import TestSupport
import Testing

/// What a callback must not do to its loop, and nobody to one that has ended: each traps with a
/// sentence.
@Suite
struct EndingsMisuseTests {
  @Test func closingTraps_inATimer() async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      let loop = try EventLoop()
      loop.schedule(after: .zero) { loop.close() }
      loop.run(for: testDeadline)
    }
    #expect(hasTrapped(result))
  }

  @Test func closingTraps_inACompletionOfOffloadedWork() async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      let loop = try EventLoop()
      loop.offload({}, { _ in loop.close() })
      loop.run(for: testDeadline)
    }
    #expect(hasTrapped(result))
  }

  @Test func closingTraps_inAHandlerOfTheQueue() async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      let loop = try EventLoop()
      let file = AIOFile(
        try FileDescriptor.open(FilePath("/etc/services"), .readOnly), queue: loop.queue)
      try file.read(into: IOBuffer(capacity: 1), at: 0) { _, _ in loop.close() }
      loop.run(for: testDeadline)
    }
    #expect(hasTrapped(result))
  }

  @Test func closingTraps_inATask() async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      let loop = try EventLoop()
      loop.startTask { loop.close() }
      loop.run(for: testDeadline)
    }
    #expect(hasTrapped(result))
  }

  @Test func shuttingDownTraps_inACallOfAnotherThread() async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      let loop = try EventLoop()
      loop.remote.execute { $0.shutDown(within: .zero) }
      loop.run(for: testDeadline)
    }
    #expect(hasTrapped(result))
  }

  @Test func runningTraps_inACallbackAlsoWhenTheConditionHolds() async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      let loop = try EventLoop()
      loop.schedule(after: .zero) { loop.run(until: { true }) }
      loop.run(for: testDeadline)
    }
    #expect(hasTrapped(result))
  }

  @Test func closingTraps_inADeinitThatTheEndOfTheLoopCauses() async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      let loop = try EventLoop()
      loop.schedule(after: testDeadline) { [session = Session { loop.close() }] in _ = session }
      loop.close()
    }
    #expect(hasTrapped(result))
  }

  @Test func runningTraps_onAnEndedLoop() async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      let loop = try EventLoop()
      loop.close()
      loop.run()
    }
    #expect(hasTrapped(result))
  }

  @Test func startingATaskTraps_onAnEndedLoop() async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      let loop = try EventLoop()
      loop.close()
      loop.startTask {}
    }
    #expect(hasTrapped(result))
  }

  /// What a handler holds, and what happens when it goes.
  private final class Session {
    private let end: () -> Void
    init(_ end: @escaping () -> Void) { self.end = end }
    deinit { end() }
  }

  private func hasTrapped(_ result: ExitTest.Result?) -> Bool {
    guard let output = result?.standardErrorContent else { return false }
    return String(decoding: output, as: UTF8.self).contains(": EventLoop: ")
  }
}
