import PosixAIO
import SystemPackage
import TestSupport
import XCTest

@testable import Reactor

/// Bytes from a file to a connection.
final class OutgoingPumpTests: PumpTestCase {
  func test_fileIsSentWhole_andNoFasterThanThePeerTakesIt() throws {
    let before = try openDescriptors()
    do {
      let (loop, _, file, bytes) = try make(5_000_000)
      let peers = try Peers(on: loop)
      let record = Record(of: peers.client)
      peers.client.pauseReceiving()
      var isDone = false
      file.send(to: peers.server) { result in
        XCTAssertEqual(result, .success(5_000_000))
        XCTAssertEqual(peers.server.pendingByteCount, 0)
        isDone = true
      }
      XCTAssertEqual(peers.server.pendingByteCount, 5_000_000)
      // Nobody reads: the pump comes to rest, with nothing in memory.
      loop.wait { peers.server.socket.sending == .socket }
      XCTAssertFalse(isDone)
      XCTAssertFalse(peers.server.isCongested)
      XCTAssertEqual(peers.server.socket.outputMemoryByteCount, 0)
      peers.client.resumeReceiving()
      loop.wait { isDone && record.bytes.count == bytes.count }
      XCTAssertTrue(record.bytes == bytes)
      peers.abort()
      try loop.close(file)
    }
    XCTAssertEqual(try openDescriptors(), before)
  }

  func test_rangesAndEmptyFilesAreSent() throws {
    let (loop, _, file, bytes) = try make(1000)
    let peers = try Peers(.unix, on: loop)
    let record = Record(of: peers.client)
    for range: Range<Int64> in [0..<0, 10..<20, 500..<1000, 990..<5000, 2000..<3000] {
      let expected = bytes[(Int(range.lowerBound)..<Int(range.upperBound)).clamped(to: 0..<1000)]
      XCTAssertEqual(
        try outcome(loop) { file.send(range, to: peers.server, $0) },
        .success(Int64(expected.count)))
    }
    let (_, folder, _, _) = try make()
    let empty = try loop.open(folder.path.appending("file"))
    XCTAssertEqual(try outcome(loop) { empty.send(to: peers.server, $0) }, .success(0))
    let expected = Array(bytes[10..<20] + bytes[500...] + bytes[990...])
    loop.wait { record.bytes.count == expected.count }
    XCTAssertEqual(record.bytes, expected)
    peers.abort()
  }

  func test_peerThatVanishesEndsThePump_withWhatGotThere() throws {
    let before = try openDescriptors()
    do {
      let (loop, _, file, _) = try make(20_000_000)
      let peers = try Peers(on: loop)
      var received = 0
      peers.client.onReceive = { connection, bytes in
        received += bytes.byteCount
        if received > 1_000_000 { connection.abort(resetting: true) }
        return bytes.byteCount
      }
      let result = try outcome(loop) { file.send(to: peers.server, $0) }
      guard case .failure(let error) = result, case .connection(.failed(let errno)) = error.reason
      else { return XCTFail("\(result)") }
      XCTAssertTrue([.connectionReset, .brokenPipe].contains(errno), "\(errno)")
      XCTAssertGreaterThan(error.byteCountDone, 1_000_000)
      XCTAssertLessThan(error.byteCountDone, 20_000_000)
      peers.abort()
      try loop.close(file)
    }
    XCTAssertEqual(try openDescriptors(), before)
  }

  func test_closedConnectionTakesNothing() throws {
    let (loop, _, file, _) = try make(100)
    let peers = try Peers(on: loop)
    peers.server.close()
    XCTAssertEqual(
      try outcome(loop) { file.send(to: peers.server, $0) },
      .failure(
        PumpError(
          .connection(.local), byteCountDone: 0, path: file.path,
          peer: peers.server.peerAddress)))
    peers.abort()
  }

  func test_errorOfTheFileIsTold_afterWhatWasBefore() throws {
    let (folder, loop) = (try TemporaryDirectory(), try EventLoop())
    let path = folder.path.appending("file")
    let file = try loop.open(path, .writeOnly)
    let peers = try Peers(on: loop)
    let error = PumpError(
      .file(FileError(operation: .read, path: path, offset: 0, errno: .badFileDescriptor)),
      byteCountDone: 0, path: path, peer: peers.server.peerAddress)
    XCTAssertEqual(try outcome(loop) { file.send(to: peers.server, $0) }, .failure(error))
    XCTAssertEqual(
      "\(error)",
      """
      pump "\(path)" \(peers.server.peerAddress): \
      read "\(path)" at 0: Bad file descriptor (0 bytes done)
      """)
    peers.abort()
  }

  func test_cancelledPumpStopsOnce_alsoWhenThePeerTakesNothing() throws {
    let before = try openDescriptors()
    do {
      let (loop, _, file, _) = try make(5_000_000)
      let peers = try Peers(on: loop)
      let result = try outcome(loop) { done in
        let pump = file.send(to: peers.server, done)
        var ticker: EventLoop.Timer?
        ticker = loop.schedule(every: .milliseconds(1)) {
          guard peers.server.pendingByteCount > 0 else { return }
          ticker?.cancel()
          // It holds this closure, and that holds it.
          ticker = nil
          pump.cancel()
          pump.cancel()
        }
      }
      guard case .failure(let error) = result else { return XCTFail("\(result)") }
      XCTAssertEqual(error.reason, .canceled)
      XCTAssertLessThan(error.byteCountDone, 5_000_000)
      XCTAssertTrue(peers.server.isOpen)
      peers.abort()
      try loop.close(file)
    }
    XCTAssertEqual(try openDescriptors(), before)
  }
}
