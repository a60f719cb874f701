import PosixAIO
import Reactor
import Synchronization
import SystemPackage
import TestSupport
import XCTest

/// A loop on which something has ended has nothing to do, and does nothing.
final class EndingsIdleTests: XCTestCase {
  /// One of each kind of call, with its style.
  private static let representatives = [
    "File.open/callback", "File.read/callback", "File.read/awaited", "File.write+sync/callback",
    "File.lock/callback", "Directory.replace/callback", "FileWriter.close/awaited",
    "File.chunks/awaited", "Connection.connect(name)/callback", "Connection.read/awaited",
    "offload/callback", "Task.sleep/awaited",
  ]

  /// How long a loop is watched.
  private static let idleTime = Duration.seconds(2)

  /// The turns that it may take meanwhile: two, and the one of the timer that ends the time.
  private static let turnLimit: UInt64 = 3

  /// All of them at once, each on a thread of its own, so that the test takes two seconds.
  func test_loopTakesNoTurns_whenWhatItDidHasEnded() throws {
    let complaints = Mutex<[String]>([])
    let calls = CallTable.all()
    var threads: [OtherThread.Running] = []
    for name in Self.representatives {
      let call = try XCTUnwrap(calls.first { "\($0.name)/\($0.style.rawValue)" == name }, name)
      nonisolated(unsafe) let sent = call
      threads.append(
        try OtherThread.start {
          do {
            let turnCount = try unsafe Self.idleTurnCount(after: sent)
            guard turnCount > Self.turnLimit else { return }
            complaints.withLock { $0.append("\(name): \(turnCount) turns") }
          } catch {
            complaints.withLock { $0.append("\(name): \(error)") }
          }
        })
    }
    for thread in threads { thread.join() }
    XCTAssertEqual(complaints.withLock { $0 }, [])
  }

  /// The turns of an idle loop, on which the call has ended before.
  private static func idleTurnCount(after call: Call) throws -> UInt64 {
    let site = try Site(borrowing: false, .init(), closeWaits: false)
    let recorder = Recorder()
    try begin(call, on: site, recorder)
    try site.run { recorder.count > 0 }
    site.dropObjects()
    // What dropping them asks for.
    try site.turns(3)
    let loop = try site.liveLoop()
    loop.run(until: { loop.helperCallCount == 0 })
    let before = loop.turnCount
    loop.run(for: idleTime)
    let turnCount = loop.turnCount - before
    loop.close()
    return turnCount
  }

  private static func begin(_ call: Call, on site: Site, _ recorder: Recorder) throws {
    let start = try call.prepare(site)
    try start(try site.liveLoop(), Reply(recorder))
  }
}
