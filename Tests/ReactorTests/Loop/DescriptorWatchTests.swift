import Glibc
import PosixAIO
import Reactor
import SystemPackage
import TestSupport
import XCTest

final class DescriptorWatchTests: XCTestCase {
  /// A pair of connected sockets, closed with the test.
  private func socketPair() throws -> (FileDescriptor, FileDescriptor) {
    var ends: [Int32] = [-1, -1]
    let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
    guard unsafe socketpair(AF_UNIX, type, 0, &ends) == 0 else { throw Errno(rawValue: errno) }
    let (first, second) = (ends[0], ends[1])
    addTeardownBlock {
      close(first)
      close(second)
    }
    return (FileDescriptor(rawValue: first), FileDescriptor(rawValue: second))
  }

  func test_watchSaysWhatTheDescriptorIsReadyFor_asLongAsItIs() throws {
    let (loop, (mine, other)) = (try EventLoop(), try socketPair())
    var seen: [DescriptorEvents] = []
    let watch = try loop.watch(mine, for: [.readable, .writable]) { events in
      seen.append(events)
      if seen.count == 1 { _ = try? other.writeAll([1]) }
      if seen.count == 3 { loop.stop() }
    }
    loop.runUntilStopped()
    // Level-triggered: what was not read is reported again.
    XCTAssertEqual(seen, [.writable, [.readable, .writable], [.readable, .writable]])
    watch.cancel()
    XCTAssertFalse(watch.isActive)
  }

  func test_watchCancelledByAnotherOfTheSameTurnNeverFires() throws {
    let loop = try EventLoop()
    var watches: [DescriptorWatch] = []
    var fired = 0
    for _ in 0..<2 {
      let (mine, _) = try socketPair()
      watches.append(
        try loop.watch(mine, for: .writable) { _ in
          fired += 1
          for watch in watches { watch.cancel() }
          loop.schedule(after: .milliseconds(1)) { loop.stop() }
        })
    }
    loop.runUntilStopped()
    XCTAssertEqual(fired, 1)
  }

  func test_numberThatIsUsedAgainGetsNoEventOfItsFormerDescriptor() throws {
    let (loop, (mine, other)) = (try EventLoop(), try socketPair())
    let (second, _) = try socketPair()
    var old: DescriptorWatch?
    var fired: [String] = []
    // Both are ready in the same turn; the first to run replaces the other's descriptor by one that
    // has nothing to say.
    let replace = {
      guard old?.isActive ?? false else { return }
      old?.cancel()
      let (quiet, _) = try self.socketPair()
      XCTAssertEqual(dup2(quiet.rawValue, mine.rawValue), mine.rawValue)
      try loop.watch(mine, for: .readable) { _ in fired.append("new") }
      loop.schedule(after: .milliseconds(1)) { loop.stop() }
    }
    try loop.watch(second, for: .writable) { _ in
      do { try replace() } catch { XCTFail("\(error)") }
    }
    old = try loop.watch(mine, for: .readable) { _ in fired.append("old") }
    _ = try other.writeAll([1])
    loop.runUntilStopped()
    XCTAssertFalse(fired.contains("new"), "\(fired)")
    loop.close()
  }

  func test_badDescriptorsAreRefused_andNothingIsStarted() throws {
    let (loop, folder) = (try EventLoop(), try TemporaryDirectory())
    let file = try folder.open("file")
    XCTAssertThrowsError(try loop.watch(file, for: .readable) { _ in XCTFail("never") }) {
      XCTAssertEqual($0 as? Errno, .notPermitted)
    }
    try file.close()
    XCTAssertThrowsError(try loop.watch(file, for: .readable) { _ in XCTFail("never") }) {
      XCTAssertEqual($0 as? Errno, .badFileDescriptor)
    }
    loop.run(for: .milliseconds(1))
  }
}
