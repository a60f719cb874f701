import Glibc
import SystemPackage
import TestSupport
import XCTest

@testable import PosixAIO

/// Sockets that are read and written at the same time: neither direction holds up the other.
final class BidirectionalFileTests: XCTestCase {
  private var folder: TemporaryDirectory!
  private let ledger = Ledger()

  override func setUpWithError() throws {
    folder = try TemporaryDirectory()
  }

  private func makeSocket(_ queue: CompletionQueue) throws -> (file: AIOFile, peer: FileDescriptor)
  {
    let pair = try SocketPair()
    // Duplicates, since the pair closes its own.
    return (AIOFile(try pair.near.duplicate(), queue: queue), try pair.far.duplicate())
  }

  private func readAll(_ count: Int, from descriptor: FileDescriptor) throws -> [UInt8] {
    var found: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while found.count < count {
      found +=
        buffer[
          ..<(try unsafe buffer.withUnsafeMutableBytes { bytes in
            try unsafe descriptor.read(into: bytes)
          })]
    }
    return found
  }

  func test_writeCompletes_whileAReadOfTheSameSocketWaits() throws {
    for limit in [1, 4] {
      let ledger = Ledger()
      let queue = try CompletionQueue(
        configuration: .with {
          $0.disableBackstop()
          $0.blockingFileLimit = limit
        })
      let (file, peer) = try makeSocket(queue)
      try file.read(into: IOBuffer(capacity: 4), at: 0, ledger.read(expecting: [5, 6]))
      queue.drain()
      try file.write(IOBuffer(copying: [1, 2, 3]), at: 0, ledger.transfer())
      try queue.run { ledger.called == [1] }
      XCTAssertEqual(ledger[1], .moved(3))
      XCTAssertEqual(try readAll(3, from: peer), [1, 2, 3])
      _ = try peer.writeAll([5, 6])
      try queue.runUntilIdle()
      XCTAssertEqual(ledger[0], .moved(2))
      file.close(ledger.sync())
      try queue.runUntilIdle()
      XCTAssertEqual(ledger[2], .done)
      queue.assertIdle()
      try peer.close()
    }
  }

  func test_writeCompletes_whileAHundredReadsWaitBeforeIt() throws {
    let queue = try CompletionQueue(configuration: .with { $0.disableBackstop() })
    let (file, peer) = try makeSocket(queue)
    defer { close(peer.rawValue) }
    for number in 0..<100 {
      try file.read(into: IOBuffer(capacity: 1), at: 0, ledger.read(expecting: bytes(number)))
    }
    // The socket takes few small pieces that nobody reads.
    for number in 0..<5 {
      try file.write(IOBuffer(copying: bytes(number)), at: 0, ledger.transfer())
    }
    try queue.run { ledger.called.count == 5 }
    ledger.assertAll(.moved(1), in: 100..<105)
    XCTAssertEqual(try readAll(5, from: peer), (0..<5).map { UInt8($0) })
    _ = try peer.writeAll((0..<100).map { UInt8($0) })
    try queue.runUntilIdle()
    ledger.assertAll(.moved(1))
    XCTAssertEqual(ledger.order, Array(100..<105) + Array(0..<100))
  }

  func test_readCompletes_whileAWriteOfTheSameSocketWaits() throws {
    let queue = try CompletionQueue(configuration: .with { $0.disableBackstop() })
    let (file, peer) = try makeSocket(queue)
    defer { close(peer.rawValue) }
    let large = Pattern.block(3, byteCount: 1 << 21)
    try file.write(IOBuffer(copying: large), at: 0, ledger.transfer())
    try file.write(IOBuffer(copying: [9]), at: 0, ledger.transfer())
    queue.drain()
    _ = try peer.writeAll([7])
    try file.read(into: IOBuffer(capacity: 1), at: 0, ledger.read(expecting: [7]))
    try queue.run { ledger.called == [2] }
    XCTAssertTrue(try readAll(large.count, from: peer) == large)
    try queue.runUntilIdle()
    XCTAssertEqual(try readAll(1, from: peer), [9])
    XCTAssertEqual(ledger.entries, [[.moved(large.count)], [.moved(1)], [.moved(1)]])
  }

  func test_waitingReadsOfManySocketsLeaveTheirWritesAlone() throws {
    let queue = try CompletionQueue(configuration: .with { $0.inFlightLimit = 32 })
    let sockets = try (0..<12).map { _ in try makeSocket(queue) }
    defer { for socket in sockets { close(socket.peer.rawValue) } }
    for (file, _) in sockets {
      for _ in 0..<10 {
        try file.read(into: IOBuffer(capacity: 1), at: 0) { _, _ in }
      }
    }
    queue.drain()
    for (file, _) in sockets {
      try file.write(IOBuffer(copying: [1]), at: 0, ledger.transfer())
    }
    let regular = AIOFile(try folder.open("file"), queue: queue)
    try regular.write(IOBuffer(copying: [1]), at: 0, ledger.transfer())
    try queue.run { ledger.called.count == 13 }
    ledger.assertAll(.moved(1))
    for (_, peer) in sockets { _ = try peer.writeAll(bytes(1, count: 10)) }
    try queue.runUntilIdle()
    queue.assertIdle()
  }

  func test_restOfAShortWriteComesBeforeTheNextWrite() throws {
    let system = ScriptedSystem()
    let queue = try CompletionQueue(configuration: .init(), system: system)
    let (file, peer) = try makeSocket(queue)
    defer { close(peer.rawValue) }
    system.outcome = { $0.byteCount > 2 ? .short(2) : .short($0.byteCount) }
    for number in 0..<2 {
      try file.write(IOBuffer(copying: bytes(number, count: 5)), at: 0, ledger.transfer())
    }
    queue.drain()
    XCTAssertEqual(system.held.count, 1)
    while queue.unfinishedCount > 0 {
      XCTAssertTrue(system.endFirst())
      queue.drain()
    }
    XCTAssertEqual(system.submitted.map(\.byteCount), [5, 3, 1, 5, 3, 1])
  }

  func test_directionsTakeTurnsOnTheOneDescriptor_andPartWhenThereIsAnother() throws {
    let system = ScriptedSystem()
    let queue = try CompletionQueue(
      configuration: .with { $0.backstopFloor = .milliseconds(1) }, system: system)
    let (file, peer) = try makeSocket(queue)
    defer { close(peer.rawValue) }
    _ = try peer.writeAll([7])
    try withDescriptorsLeft(0) {
      // Nothing reads yet: the write has the descriptor, and a read waits for its end.
      try file.write(IOBuffer(copying: [1]), at: 0, ledger.transfer())
      queue.drain()
      try file.read(into: IOBuffer(capacity: 1), at: 0, ledger.transfer())
      queue.drain()
      XCTAssertEqual(system.held.map(\.kind), [.write])
      system.endFirst()
      queue.drain()
      // Now the other way round.
      try file.write(IOBuffer(copying: [2]), at: 0, ledger.transfer())
      queue.drain()
      XCTAssertEqual(system.held.map(\.kind), [.read])
    }
    // A descriptor can be had again: the next look of the backstop finds that.
    try queue.run { system.held.count == 2 }
    XCTAssertEqual(Set(system.held.map(\.descriptor)).count, 2)
    system.endAll()
    try queue.runUntilIdle()
    ledger.assertEachOnce()
    queue.assertIdle()
  }

  func test_syncOfASocketFails_whileAReadWaits() throws {
    let queue = try CompletionQueue(configuration: .with { $0.disableBackstop() })
    let (file, peer) = try makeSocket(queue)
    try file.read(into: IOBuffer(capacity: 1), at: 0, ledger.transfer())
    try file.sync(ledger.sync())
    try queue.run { ledger.called == [1] }
    XCTAssertEqual(ledger[1], .failed(.invalidArgument))
    try peer.close()
    try queue.runUntilIdle()
    XCTAssertEqual(ledger[0], .moved(0))
  }
}
