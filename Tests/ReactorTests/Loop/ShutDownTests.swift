import PosixAIO
import SystemPackage
import TestSupport
import XCTest

@testable import Reactor

/// Shutting down: what ends by itself is waited for, and the rest cut off.
final class ShutDownTests: XCTestCase {
  func test_readThatNeverEndsIsCutOff_alsoBeforeTheFirstTurn() throws {
    for timeout in [Duration.zero, .milliseconds(1)] {
      let loop = try EventLoop()
      let ends = try FileDescriptor.pipe()
      let file = AIOFile(ends.readEnd, queue: loop.queue)
      var errors: [Errno?] = []
      try file.read(into: IOBuffer(capacity: 1), at: 0) { result, _ in
        if case .failure(let error) = result { errors.append(error.errno) }
      }
      XCTAssertFalse(loop.shutDown(within: timeout), "\(timeout)")
      XCTAssertEqual(errors, [.canceled], "\(timeout)")
      // The read ends now, and what it kept alive goes.
      try ends.writeEnd.close()
    }
  }

  func test_writeOfBeforeTheFirstTurnIsWaitedFor() throws {
    let (loop, folder) = (try EventLoop(), try TemporaryDirectory())
    let file = AIOFile(try folder.open("file"), queue: loop.queue)
    var count: Int?
    try file.write(IOBuffer(copying: [1, 2]), at: 0) { result, _ in count = try? result.get() }
    XCTAssertTrue(loop.shutDown(within: testDeadline))
    XCTAssertEqual(count, 2)
    XCTAssertEqual(try folder.contents(of: "file"), [1, 2])
  }

  func test_taskIsWaitedFor_whichHasNotBegun() throws {
    let loop = try EventLoop()
    var hasEnded = false
    loop.startTask { hasEnded = true }
    XCTAssertTrue(loop.shutDown(within: testDeadline))
    XCTAssertTrue(hasEnded)
  }

  func test_connectionsThatStayAreClosed_whenTheTimeIsOver() throws {
    let before = try openDescriptors().count
    try {
      let loop = try EventLoop()
      let peers = try Peers(on: loop)
      let record = Record(of: peers.server)
      XCTAssertFalse(loop.shutDown(within: .milliseconds(1)))
      XCTAssertEqual(record.reasons, [.local])
    }()
    XCTAssertEqual(try openDescriptors().count, before)
  }

  func test_connectionThatClosesIsWaitedFor() throws {
    let loop = try EventLoop()
    let peers = try Peers(on: loop)
    let record = Record(of: peers.server) { peers.client.abort() }
    loop.schedule(after: .zero) { peers.server.abort() }
    XCTAssertTrue(loop.shutDown(within: testDeadline))
    XCTAssertEqual(record.reasons.count, 1)
  }
}
