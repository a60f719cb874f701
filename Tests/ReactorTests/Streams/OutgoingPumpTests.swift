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
      var mostPending = 0
      file.send(to: peers.server) { result in
        XCTAssertEqual(result, .success(5_000_000))
        XCTAssertEqual(peers.server.pendingByteCount, 0)
        isDone = true
      }
      // Nobody reads: the pump comes to rest, with little in memory.
      loop.wait {
        mostPending = max(mostPending, peers.server.pendingByteCount)
        return peers.server.pendingByteCount > 0 && loop.queue.unfinishedCount == 0
      }
      XCTAssertFalse(isDone)
      peers.client.resumeReceiving()
      loop.wait {
        mostPending = max(mostPending, peers.server.pendingByteCount)
        return isDone && record.bytes.count == bytes.count
      }
      XCTAssertTrue(record.bytes == bytes)
      let configuration = peers.server.configuration
      XCTAssertLessThanOrEqual(
        mostPending,
        configuration.outputLowWaterByteCount + FileReader.Configuration().chunkByteCount)
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
      .failure(PumpError(.connection(.local), byteCountDone: 0)))
    peers.abort()
  }

  func test_errorOfTheFileIsTold_afterWhatWasBefore() throws {
    let (folder, loop) = (try TemporaryFolder(), try EventLoop())
    let path = folder.path.appending("file")
    let file = try loop.open(path, .writeOnly)
    let peers = try Peers(on: loop)
    let error = PumpError(
      .file(FileError(operation: .read, path: path, offset: 0, errno: .badFileDescriptor)),
      byteCountDone: 0)
    XCTAssertEqual(try outcome(loop) { file.send(to: peers.server, $0) }, .failure(error))
    XCTAssertEqual(
      "\(error)", "pump: read \"\(path)\" at 0: Bad file descriptor (0 bytes done)")
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

  // MARK: A sink that a test drives

  /// Takes bytes, and gets rid of them when it is told to.
  private final class FakeSink: ByteSink {
    let loop: EventLoop
    var acceptsBytes = true
    var closeReason: Connection.CloseReason?
    var pendingByteCount = 0
    let pumpByteCount = 300
    private(set) var bytes: [UInt8] = []
    private(set) var mostPending = 0
    private var waiting: [(byteCount: Int, resume: () -> Void)] = []

    init(_ loop: EventLoop) { self.loop = loop }

    func write(_ buffer: consuming IOBuffer) throws(Errno) {
      guard acceptsBytes else { throw .brokenPipe }
      bytes += Array(buffer)
      pendingByteCount += buffer.count
      mostPending = max(mostPending, pendingByteCount)
    }

    func whenPending(atMost byteCount: Int, _ resume: @escaping () -> Void) {
      waiting.append((byteCount, resume))
      loop.nextTurn { [self] in wake() }
    }

    func send(_ byteCount: Int) {
      pendingByteCount -= min(byteCount, pendingByteCount)
      wake()
    }

    func close(_ reason: Connection.CloseReason) {
      acceptsBytes = false
      closeReason = reason
      wake()
    }

    private func wake() {
      let due = waiting.filter { pendingByteCount <= $0.byteCount || closeReason != nil }
      waiting.removeAll { pendingByteCount <= $0.byteCount || closeReason != nil }
      for waiter in due { waiter.resume() }
    }
  }

  func test_countIsExact_whereverTheSinkCloses() throws {
    let (loop, _, file, bytes) = try make(10_000)
    var configuration = FileReader.Configuration()
    configuration.chunkByteCount = 1000
    for limit in [0, 1, 999, 1000, 1001, 5500, 9999, 10_000] {
      let sink = FakeSink(loop)
      var sent = 0
      let ticker = loop.schedule(every: .milliseconds(1)) {
        let count = min(450, sink.pendingByteCount, limit - sent)
        sent += count
        sink.send(count)
        if sent == limit, sink.pendingByteCount > 0 { sink.close(.timedOut(.output)) }
      }
      let result = try outcome(loop) { done in
        OutgoingPump(FileReader(file, configuration: configuration), to: sink, done).start()
      }
      ticker.cancel()
      XCTAssertEqual(
        result,
        limit == 10_000
          ? .success(10_000)
          : .failure(
            PumpError(.connection(.timedOut(.output)), byteCountDone: Int64(limit))))
      XCTAssertTrue(sink.bytes == Array(bytes.prefix(sink.bytes.count)))
      XCTAssertLessThanOrEqual(sink.mostPending, 1300)
    }
  }
}
