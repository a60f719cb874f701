import Glibc
import Reactor
import SystemPackage
import TestSupport
import XCTest

final class SignalTests: XCTestCase {
  func test_sequenceHasTheSignalsInOrder_eachKindOnceWhileTheTaskIsBusy() throws {
    try EventLoop.run { loop in
      let signals = loop.signals(.user1, .user2)
      // Blocks until a turn of the loop has seen it.
      for signal in [SIGUSR1, SIGUSR1, SIGUSR2] {
        raise(signal)
        await turn(loop)
      }
      var found: [POSIXSignal] = []
      for await signal in signals {
        found.append(signal)
        if found.count == 2 { raise(SIGUSR1) }
        if found.count == 3 { break }
      }
      XCTAssertEqual(found, [.user1, .user2, .user1])
    }
  }

  func test_sequenceEndsWithItsTask() throws {
    try EventLoop.run { loop in
      let task = loop.startTask {
        var count = 0
        for await _ in loop.signals(.user1) { count += 1 }
        return count
      }
      await turn(loop)
      task.cancel()
      let count = await task.value
      XCTAssertEqual(count, 0)
    }
  }

  func test_dispositionIsBack_whenTheSequenceIsDropped() throws {
    let before = disposition(of: SIGUSR2)
    try EventLoop.run { loop in
      do {
        let signals = loop.signals(.user2)
        XCTAssertFalse(disposition(of: SIGUSR2) == before)
        _ = consume signals
      }
      XCTAssertTrue(disposition(of: SIGUSR2) == before)
      // The last reference goes on another thread.
      let signals = loop.signals(.user2)
      await Task.detached { withExtendedLifetime(signals) {} }.value
    }
    XCTAssertTrue(disposition(of: SIGUSR2) == before)
  }

  func test_runShutsDownOnASignal_andCompletesWhatIsInProgress() throws {
    let loop = try EventLoop()
    let listener = try Listener(on: loop, .loopback(port: 0))
    var isPrepared = false
    var isDone = false
    loop.nextTurn {
      raise(SIGTERM)
      loop.offload({}, { _ in isDone = true })
    }
    let isComplete = loop.run(shuttingDownOn: .terminate, .interrupt, within: testDeadline) {
      isPrepared = listener.isOpen
    }
    XCTAssertTrue(isComplete)
    XCTAssertTrue(isPrepared)
    XCTAssertTrue(isDone)
    XCTAssertFalse(listener.isOpen)
  }

  func test_stopHasTheEffectOfASignal() throws {
    let loop = try EventLoop()
    loop.nextTurn { loop.stop() }
    XCTAssertTrue(loop.run(shuttingDownOn: .terminate, within: .zero))
    XCTAssertFalse(loop.nextTurn {})
  }
}

private func disposition(of signal: Int32) -> UInt {
  var action = sigaction()
  unsafe sigaction(signal, nil, &action)
  return unsafe unsafeBitCast(action.__sigaction_handler.sa_handler, to: UInt.self)
}

/// Lets the loop do what is due.
nonisolated(nonsending) private func turn(_ loop: EventLoop) async {
  for _ in 0..<2 {
    await unsafe withUnsafeContinuation { continuation in
      loop.nextTurn { unsafe continuation.resume() }
    }
  }
}
