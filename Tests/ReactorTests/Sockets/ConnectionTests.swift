import PosixAIO
import Reactor
import SystemPackage
import TestSupport
import XCTest

final class ConnectionTests: XCTestCase {
  // MARK: Bytes

  func test_megabytesComeBackUnchanged_inOddSizes_withBoundedMemory() throws {
    for kind in [Peers.Kind.tcp, .unix] {
      try echo(kind)
    }
  }

  /// Sends as long as the connection is not congested, and reads what the other side echoes under
  /// the same rule.
  private func echo(_ kind: Peers.Kind) throws {
    let loop = try EventLoop()
    var limits = Connection.Configuration()
    limits.outputHighWaterByteCount = 100_000
    limits.outputLowWaterByteCount = 10_000
    limits.inputHighWaterByteCount = 10_000
    let peers = try Peers(kind, on: loop, client: limits, server: limits)
    let (client, server) = (peers.client, peers.server)
    let bytes = Pattern.block(1, byteCount: 5_000_003)
    let chunk = 7919
    var sent = 0
    var received: [UInt8] = []
    var mostPending = 0

    server.onReceive = { server, bytes in
      expectNoThrow { try server.write(bytes) }
      mostPending = max(mostPending, server.pendingByteCount)
      if server.isCongested { server.pauseReceiving() }
      return bytes.byteCount
    }
    server.onDrained = { $0.resumeReceiving() }
    server.onEndOfInput = { $0.shutdownOutput() }

    func send(_ client: Connection) {
      while sent < bytes.count, !client.isCongested {
        let next = min(sent + chunk, bytes.count)
        expectNoThrow { try client.write(bytes[sent..<next]) }
        mostPending = max(mostPending, client.pendingByteCount)
        sent = next
      }
      if sent == bytes.count { client.shutdownOutput() }
    }
    client.onDrained = send
    client.onReceive = { _, bytes in
      received += Array(bytes)
      return bytes.byteCount
    }
    client.onClose = { _, reason in
      XCTAssertEqual(reason, .endOfInput)
      loop.stop()
    }
    send(client)
    loop.runUntilStopped()
    XCTAssertEqual(received.count, bytes.count)
    XCTAssertTrue(received == bytes)
    let most = limits.outputHighWaterByteCount + limits.inputHighWaterByteCount + 4096
    XCTAssertLessThanOrEqual(mostPending, most)
  }

  func test_receiveHandlerLeavesARest_thatIsShownAgainWithMoreBehindIt() throws {
    let loop = try EventLoop()
    let peers = try Peers(on: loop)
    var shown: [String] = []
    peers.server.onReceive = { server, bytes in
      let text = String(decoding: Array(bytes), as: UTF8.self)
      shown.append(text)
      switch shown.count {
      case 1:
        expectNoThrow { try peers.client.write("def".utf8) }
        return 1
      case 2:
        server.resumeReceiving()
        return 3
      default:
        XCTAssertEqual(server.unreadByteCount, bytes.byteCount)
        loop.stop()
        return bytes.byteCount
      }
    }
    try peers.client.write("abc".utf8)
    loop.runUntilStopped()
    XCTAssertEqual(shown, ["abc", "bcdef", "ef"])
    peers.abort()
  }

  func test_messageOfTheHighWaterMarkIsShownInOnePiece() throws {
    let loop = try EventLoop()
    var limits = Connection.Configuration()
    limits.inputHighWaterByteCount = 100_000
    let peers = try Peers(on: loop, server: limits)
    let bytes = Pattern.block(2, byteCount: 100_000)
    peers.server.onReceive = { _, shown in
      guard shown.byteCount >= bytes.count else { return 0 }
      XCTAssertTrue(Array(shown) == bytes)
      loop.stop()
      return shown.byteCount
    }
    try peers.client.write(bytes)
    loop.runUntilStopped()
    peers.abort()
  }

  /// The sockets of a loop are read into one block, one after the other.
  func test_whatHandlersLeaveOfManyConnectionsIsNotMixedUp() throws {
    let loop = try EventLoop()
    let pairs = try (0..<5).map { _ in try Peers(.unix, on: loop) }
    let messages = pairs.indices.map { Pattern.block($0, byteCount: 60_000) }
    var sent = [Int](repeating: 0, count: pairs.count)
    var left = pairs.count

    func sendPiece(_ index: Int) {
      // From a few bytes, which move to memory of their own, to a large part of the block.
      let end = min(messages[index].count, sent[index] * 3 + 7 + index)
      expectNoThrow { try pairs[index].client.write(messages[index][sent[index]..<end]) }
      sent[index] = end
    }
    for (index, pair) in pairs.enumerated() {
      pair.server.onReceive = { server, shown in
        guard shown.byteCount == messages[index].count else {
          if shown.byteCount == sent[index] { sendPiece(index) }
          return 0
        }
        XCTAssertTrue(Array(shown) == messages[index])
        left -= 1
        if left == 0 { loop.stop() }
        return shown.byteCount
      }
      sendPiece(index)
    }
    loop.runUntilStopped()
    XCTAssertEqual(pairs.reduce(0) { $0 + $1.server.unreadByteCount }, 0)
    for pair in pairs { pair.abort() }
  }

  func test_buffersAndArraysArriveInTheOrderOfTheirWrites() throws {
    let loop = try EventLoop()
    let peers = try Peers(on: loop, server: .closingSoon)
    let record = Record(of: peers.server) { loop.stop() }
    peers.server.onEndOfInput = nil
    var expected: [UInt8] = []
    for number in 0..<40 {
      let bytes = Pattern.block(number, byteCount: number * 1000)
      expected += bytes
      if number.isMultiple(of: 2) {
        try peers.client.write(IOBuffer(copying: bytes))
      } else {
        try peers.client.write(bytes)
      }
    }
    XCTAssertEqual(peers.client.pendingByteCount, expected.count)
    peers.client.close()
    loop.runUntilStopped()
    XCTAssertTrue(record.bytes == expected)
    XCTAssertEqual(record.reasons, [.endOfInput])
  }

  func test_writeOfNoBytesDoesNothing() throws {
    let loop = try EventLoop()
    let peers = try Peers(on: loop)
    peers.server.onReceive = { _, bytes in
      XCTAssertTrue(Array(bytes) == [7])
      loop.stop()
      return bytes.byteCount
    }
    try peers.client.write([UInt8]())
    loop.schedule(after: .milliseconds(1)) { expectNoThrow { try peers.client.write([7]) } }
    loop.runUntilStopped()
    XCTAssertTrue(peers.client.isOpen)
    peers.abort()
  }

  func test_writeOverTheLimitIsRefused_andNothingOfItIsSent() throws {
    let loop = try EventLoop()
    var limits = Connection.Configuration()
    limits.outputHighWaterByteCount = 10
    limits.outputLowWaterByteCount = 0
    limits.outputLimitByteCount = 10
    let peers = try Peers(on: loop, client: limits, server: .closingSoon)
    try peers.client.write("12345678".utf8)
    XCTAssertThrowsError(try peers.client.write("abc".utf8)) {
      XCTAssertEqual($0 as? Errno, .noBufferSpace)
    }
    try peers.client.write("90".utf8)
    let record = Record(of: peers.server) { loop.stop() }
    peers.server.onEndOfInput = nil
    peers.client.close()
    loop.runUntilStopped()
    XCTAssertEqual(record.text, "1234567890")
  }

  // MARK: Back-pressure

  func test_pausedReaderHoldsUpTheWriter_andIsShownEverythingAfterwards() throws {
    let loop = try EventLoop()
    var limits = Connection.Configuration()
    limits.inputHighWaterByteCount = 8192
    limits.outputHighWaterByteCount = 8192
    limits.outputLowWaterByteCount = 0
    let peers = try Peers(.unix, on: loop, client: limits, server: limits)
    let record = Record(of: peers.server)
    peers.server.pauseReceiving()
    // Many times what the kernel's buffers take.
    let bytes = Pattern.block(3, byteCount: 4_000_000)
    var isPaused = true
    peers.client.onDrained = { client in
      XCTAssertFalse(isPaused, "no read has begun")
      client.shutdownOutput()
    }
    peers.server.onEndOfInput = { _ in loop.stop() }
    try peers.client.write(bytes)
    XCTAssertTrue(peers.client.isCongested)
    // As much as arrives without a reader has arrived when a timer of the same loop is due.
    loop.schedule(after: .milliseconds(20)) {
      XCTAssertLessThan(peers.server.unreadByteCount, 2 * 8192)
      XCTAssertTrue(record.bytes.isEmpty)
      isPaused = false
      peers.server.resumeReceiving()
    }
    loop.runUntilStopped()
    XCTAssertTrue(record.bytes == bytes)
    peers.abort()
  }

  func test_bytesAndEndWaitUntilThereIsAReceiveHandler() throws {
    let loop = try EventLoop()
    let peers = try Peers(on: loop)
    try peers.client.write("early".utf8)
    peers.client.shutdownOutput()
    var record: Record?
    loop.schedule(after: .milliseconds(5)) {
      record = Record(of: peers.server)
      XCTAssertEqual(record?.text, "", "never from inside the call")
      peers.server.onEndOfInput = { _ in loop.stop() }
    }
    loop.runUntilStopped()
    XCTAssertEqual(record?.text, "early")
    peers.abort()
  }

  // MARK: Half close

  func test_connectionCanSendBehindTheEndOfItsInput() throws {
    for kind in [Peers.Kind.tcp, .unix] {
      let loop = try EventLoop()
      let peers = try Peers(kind, on: loop)
      var closed = 0
      let stopWhenBothAreClosed = {
        closed += 1
        if closed == 2 { loop.stop() }
      }
      let atServer = Record(of: peers.server, stopWhenBothAreClosed)
      let atClient = Record(of: peers.client, stopWhenBothAreClosed)
      peers.server.onEndOfInput = { server in
        expectNoThrow { try server.write("reply".utf8) }
        server.shutdownOutput()
      }
      try peers.client.write("question".utf8)
      peers.client.shutdownOutput()
      XCTAssertThrowsError(try peers.client.write("more".utf8)) {
        XCTAssertEqual($0 as? Errno, .brokenPipe)
      }
      loop.runUntilStopped()
      XCTAssertEqual(atServer.text, "question")
      XCTAssertEqual(atClient.text, "reply")
      XCTAssertTrue(atClient.didEnd)
      XCTAssertEqual(atServer.reasons, [.endOfInput])
      XCTAssertEqual(atClient.reasons, [.endOfInput])
    }
  }
}
