import Foundation
import Glibc
import Reactor
import TestSupport
import XCTest

@testable import ReactorHTTP

/// SIGPIPE is the process's, and nothing here touches it.
final class BrokenPipeTests: XCTestCase {
  func test_processLivesWithTheSignalAtItsDefault_whateverWritesToAPeerThatIsGone() throws {
    for scenario in ["connections", "pump", "http"] {
      let outcome = try Program.run("BrokenPipes", [scenario])
      XCTAssertEqual(outcome.status, 0, "\(scenario): \(outcome.errors)")
      XCTAssertEqual(outcome.output, "ok\n", scenario)
    }
  }

  func test_signalIsBlockedWhileAServerOfTheLoopLives_andInTheThreadThatTheLoopMovesTo() throws {
    let before = isBlocked
    defer { XCTAssertEqual(isBlocked, before) }
    let loop = try EventLoop()
    XCTAssertEqual(isBlocked, before)
    var servers = [HTTPServer(on: loop) { _, _ in }, HTTPServer(on: loop) { _, _ in }]
    XCTAssertTrue(isBlocked)
    servers.removeLast()
    XCTAssertTrue(isBlocked)
    nonisolated(unsafe) let moved = loop
    let done = DispatchSemaphore(value: 0)
    Thread.detachNewThread {
      setBlocked(false)
      unsafe moved.moveToCurrentThread()
      XCTAssertTrue(isBlocked)
      done.signal()
    }
    done.wait()
    loop.moveToCurrentThread()
    XCTAssertTrue(isBlocked)
    servers.removeLast()
  }

  func test_signalThatWasBlockedBeforeStaysBlocked() throws {
    let before = isBlocked
    setBlocked(true)
    let loop = try EventLoop()
    var server: HTTPServer? = HTTPServer(on: loop) { _, _ in }
    withExtendedLifetime(server) {}
    server = nil
    XCTAssertTrue(isBlocked)
    setBlocked(before)
  }
}

/// Whether this thread blocks SIGPIPE.
private var isBlocked: Bool {
  var mask = sigset_t()
  unsafe pthread_sigmask(SIG_BLOCK, nil, &mask)
  return unsafe sigismember(&mask, SIGPIPE) == 1
}

private func setBlocked(_ blocks: Bool) {
  var set = sigset_t()
  unsafe sigemptyset(&set)
  unsafe sigaddset(&set, SIGPIPE)
  unsafe pthread_sigmask(blocks ? SIG_BLOCK : SIG_UNBLOCK, &set, nil)
}
