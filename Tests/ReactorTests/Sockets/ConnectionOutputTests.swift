import CFaults
import Glibc
import PosixAIO
import Reactor
import SystemPackage
import TestSupport
import XCTest

/// What is written to a connection, from the write to the peer.
final class ConnectionOutputTests: XCTestCase {
  func test_writesOfAllSizesAndKindsArriveInOrder_throughASocketThatTakesLittle() throws {
    let seed = testSeed()
    var random = SeededGenerator(seed: seed)
    let loop = try EventLoop()
    let (connection, peer) = try adopted(on: loop, sendBufferByteCount: 4096)
    defer { close(peer) }
    let sizes = [1, 10, 100, 1000, 1024, 1025, 4095, 4096, 5000, 70_000, 300_000]
    var expected: [UInt8] = []
    var received: [UInt8] = []
    for round in 0..<60 {
      for _ in 0..<Int.random(in: 1...80, using: &random) {
        let most = sizes[random.oneIn(20) ? 10 : Int.random(in: 0..<9, using: &random)]
        let bytes = Pattern.block(
          expected.count, byteCount: Int.random(in: 0...most, using: &random))
        try write(bytes, to: connection, kind: Int.random(in: 0..<4, using: &random))
        expected += bytes
      }
      XCTAssertEqual(
        connection.pendingByteCount + kernelByteCount(peer) + received.count, expected.count,
        "seed \(seed), round \(round)")
      // Most rounds leave something, so that pieces are cut and added to while they are sent.
      for _ in 0..<Int.random(in: 0...4, using: &random) where received.count < expected.count {
        loop.run(until: { take(from: peer, into: &received) }, timeout: testDeadline)
      }
    }
    while received.count < expected.count {
      guard loop.run(until: { take(from: peer, into: &received) }, timeout: testDeadline)
      else { return XCTFail("seed \(seed): \(received.count) of \(expected.count) bytes") }
    }
    XCTAssertTrue(received == expected, "seed \(seed)")
    XCTAssertEqual(connection.pendingByteCount, 0)
    connection.abort()
  }

  private func write(_ bytes: [UInt8], to connection: Connection, kind: Int) throws {
    switch kind {
    case 0: try connection.write(IOBuffer(copying: bytes))
    case 1: try unsafe connection.write(bytes.span.bytes)
    // Without contiguous storage.
    case 2: try connection.write(bytes.lazy.map { $0 })
    default: try connection.write(bytes)
    }
  }

  func test_unsentMemoryIsFreed_whenTheConnectionIsCutOrDropped() throws {
    let before = cfaults_heap_byte_count()
    for isDropped in [false, true] {
      try withLoop { loop in
        let (connection, peer) = try adopted(on: loop, sendBufferByteCount: 4096)
        for _ in 0..<100 {
          try connection.write(IOBuffer(copying: [UInt8](repeating: 1, count: 100_000)))
          try connection.write([UInt8](repeating: 2, count: 100_000))
        }
        loop.run(until: { kernelByteCount(peer) > 0 }, timeout: testDeadline)
        // The sanitizers have a heap of their own, of which nothing is known.
        if before > 0 { XCTAssertGreaterThan(cfaults_heap_byte_count() - before, 19_000_000) }
        if !isDropped {
          let pending = connection.pendingByteCount
          connection.abort()
          XCTAssertEqual(connection.pendingByteCount, pending)
        }
        close(peer)
      }
    }
    XCTAssertLessThan(cfaults_heap_byte_count(), before + 1_000_000)
  }

  func test_memoryOfALongWriteIsFreedAsItIsSent() throws {
    let loop = try EventLoop()
    let (connection, peer) = try adopted(on: loop, sendBufferByteCount: 4096)
    let before = cfaults_heap_byte_count()
    let byteCount = 20_000_000
    try connection.write([UInt8](repeating: 2, count: byteCount))
    var received: [UInt8] = []
    var count = 0
    while count < byteCount / 2 {
      guard loop.run(until: { take(from: peer, into: &received) }, timeout: testDeadline)
      else { return XCTFail("\(count) bytes") }
      count += received.count
      received.removeAll(keepingCapacity: true)
    }
    XCTAssertLessThan(cfaults_heap_byte_count() - before, byteCount * 6 / 10)
    connection.abort()
    close(peer)
  }

  func test_collectionThatLiesAboutItsCountIsSentAsItIs() throws {
    for claimed in [0, 1, 7, 100_000] {
      let loop = try EventLoop()
      let (connection, peer) = try adopted(on: loop)
      defer { close(peer) }
      try connection.write(Liar(bytes: [1, 2, 3], count: claimed))
      XCTAssertEqual(connection.pendingByteCount, 3)
      try connection.write([4])
      var received: [UInt8] = []
      loop.run(
        until: {
          _ = take(from: peer, into: &received)
          return received.count >= 4
        }, timeout: testDeadline)
      XCTAssertEqual(received, [1, 2, 3, 4])
      connection.abort()
    }
  }

  func test_collectionOverTheLimitIsRefused_whateverItClaims() throws {
    let loop = try EventLoop()
    var limits = Connection.Configuration()
    (limits.outputLimitByteCount, limits.outputHighWaterByteCount) = (10, 10)
    limits.outputLowWaterByteCount = 0
    let (connection, peer) = try adopted(on: loop, limits)
    defer { close(peer) }
    XCTAssertThrowsError(try connection.write(Liar(bytes: [UInt8](0..<11), count: 2))) {
      XCTAssertEqual($0 as? Errno, .noBufferSpace)
    }
    XCTAssertEqual(connection.pendingByteCount, 0)
    // It has no end.
    XCTAssertThrowsError(try connection.write(repeatElement(7, count: .max))) {
      XCTAssertEqual($0 as? Errno, .noBufferSpace)
    }
    try connection.write(Liar(bytes: [UInt8](0..<10), count: 1000))
    XCTAssertEqual(connection.pendingByteCount, 10)
    connection.abort()
  }

  // MARK: Support

  private func adopted(
    on loop: EventLoop, _ limits: Connection.Configuration = .init(),
    sendBufferByteCount: Int32? = nil
  ) throws -> (Connection, peer: Int32) {
    var ends: [Int32] = [-1, -1]
    XCTAssertEqual(unsafe socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends), 0)
    if var byteCount = sendBufferByteCount {
      unsafe setsockopt(
        ends[0], SOL_SOCKET, SO_SNDBUF, &byteCount, socklen_t(MemoryLayout<Int32>.size))
    }
    let connection = try Connection(
      adopting: FileDescriptor(rawValue: ends[0]), on: loop, configuration: limits)
    return (connection, ends[1])
  }

  /// Reads what is there, if there is something.
  private func take(from peer: Int32, into bytes: inout [UInt8]) -> Bool {
    var chunk = [UInt8](repeating: 0, count: 64 * 1024)
    let count = unsafe recv(peer, &chunk, chunk.count, Int32(MSG_DONTWAIT))
    if count > 0 { bytes += chunk[..<count] }
    return count > 0
  }

  private func kernelByteCount(_ peer: Int32) -> Int {
    var count: Int32 = 0
    XCTAssertEqual(unsafe ioctl(peer, UInt(FIONREAD), &count), 0)
    return Int(count)
  }

  private func withLoop(_ body: (EventLoop) throws -> Void) throws {
    try body(try EventLoop())
  }
}

/// A collection whose count is not that of its bytes.
private struct Liar: Collection {
  let bytes: [UInt8]
  let count: Int
  var startIndex: Int { 0 }
  var endIndex: Int { bytes.count }
  func index(after index: Int) -> Int { index + 1 }
  subscript(index: Int) -> UInt8 { bytes[index] }
}
