import PosixAIO
import SystemPackage
import TestSupport
import XCTest

@testable import Reactor

/// Bytes from a connection to a file.
final class IncomingPumpTests: PumpTestCase {
  /// Calls `body` when the file has a text.
  private func whenWritten(
    _ text: String, _ folder: TemporaryDirectory, _ loop: EventLoop, _ body: @escaping () -> Void
  ) {
    var ticker: EventLoop.Timer?
    ticker = loop.schedule(every: .milliseconds(1)) {
      guard (try? folder.contents(of: "file")) == Array(text.utf8) else { return }
      ticker?.cancel()
      // It holds this closure, and that holds it.
      ticker = nil
      body()
    }
  }

  func test_everythingIsReceivedUntilThePeerEnds() throws {
    let before = try openDescriptors()
    do {
      let (loop, folder, file, _) = try make()
      let peers = try Peers(on: loop)
      let bytes = Pattern.block(1, byteCount: 3_000_000)
      try peers.client.write(bytes)
      peers.client.shutdownOutput()
      XCTAssertEqual(
        try outcome(loop) { file.receive(from: peers.server, durably: true, $0) },
        .success(3_000_000))
      XCTAssertTrue(try folder.contents(of: "file") == bytes)
      // The way back is open.
      XCTAssertTrue(peers.server.isOpen)
      peers.abort()
      try loop.close(file)
    }
    XCTAssertEqual(try openDescriptors(), before)
  }

  func test_asManyBytesAsAskedAreReceived_andTheRestStays() throws {
    let (loop, folder, file, _) = try make()
    let peers = try Peers(on: loop)
    try peers.client.write(Array("headbodytail".utf8))
    XCTAssertEqual(
      try outcome(loop) { file.receive(from: peers.server, byteCount: 4, $0) }, .success(4))
    XCTAssertEqual(
      try outcome(loop) { file.receive(from: peers.server, byteCount: 4, at: 4, $0) }, .success(4))
    XCTAssertEqual(
      try outcome(loop) { file.receive(from: peers.server, byteCount: 0, $0) }, .success(0))
    XCTAssertEqual(try folder.contents(of: "file"), Array("headbody".utf8))
    XCTAssertEqual(peers.server.withUnreadBytes { Array($0) }, Array("tail".utf8))
    peers.abort()
  }

  func test_peerThatEndsTooEarlyIsAFailure_withWhatIsInTheFile() throws {
    let (loop, folder, file, _) = try make()
    let peers = try Peers(on: loop)
    try peers.client.write(Array("short".utf8))
    peers.client.shutdownOutput()
    XCTAssertEqual(
      try outcome(loop) { file.receive(from: peers.server, byteCount: 6, $0) },
      .failure(error(.connection(.endOfInput), file, peers, byteCountDone: 5)))
    XCTAssertEqual(try folder.contents(of: "file"), Array("short".utf8))
    peers.abort()
  }

  func test_peerThatIsResetIsAFailure_alsoWithoutAByteCount() throws {
    let (loop, folder, file, _) = try make()
    let peers = try Peers(on: loop)
    try peers.client.write(Array("short".utf8))
    let result = try outcome(loop) { done in
      file.receive(from: peers.server, done)
      whenWritten("short", folder, loop) { peers.client.abort(resetting: true) }
    }
    XCTAssertEqual(
      result,
      .failure(error(.connection(.failed(.connectionReset)), file, peers, byteCountDone: 5)))
    XCTAssertEqual(try folder.contents(of: "file"), Array("short".utf8))
    peers.abort()
  }

  func test_fullDiskEndsThePump_andTheCountIsWhatIsInTheFile() throws {
    let (disk, loop) = (try SmallDisk(pageCount: 8), try EventLoop())
    let file = try loop.open(disk.path.appending("file"))
    let peers = try Peers(on: loop)
    let bytes = Pattern.block(1, byteCount: 1_000_000)
    try peers.client.write(bytes)
    let result = try outcome(loop) { file.receive(from: peers.server, $0) }
    guard case .failure(let error) = result, case .file(let reason) = error.reason else {
      return XCTFail("\(result)")
    }
    XCTAssertEqual(reason.errno, .noSpace)
    XCTAssertEqual(error.byteCountDone, 32_768)
    XCTAssertTrue(try disk.contents(of: "file") == Array(bytes.prefix(32_768)))
    peers.abort()
  }

  func test_cancelledReceiverWritesWhatItHas_andLeavesTheConnection() throws {
    let (loop, folder, file, _) = try make()
    let peers = try Peers(on: loop)
    try peers.client.write(Array("abc".utf8))
    var pump: Pump?
    let result = try outcome(loop) { done in
      pump = file.receive(from: peers.server, done)
      whenWritten("abc", folder, loop) { pump?.cancel() }
    }
    XCTAssertEqual(result, .failure(error(.canceled, file, peers, byteCountDone: 3)))
    pump?.cancel()
    XCTAssertEqual(try folder.contents(of: "file"), Array("abc".utf8))
    // Other code may read from it now.
    let record = Record(of: peers.server)
    try peers.client.write(Array("def".utf8))
    loop.wait { record.text == "def" }
    peers.abort()
  }

  func test_closingTheConnectionIsAFailure_alsoWithoutAByteCount() throws {
    let (loop, folder, file, _) = try make()
    let peers = try Peers(on: loop)
    try peers.client.write(Array("abc".utf8))
    let result = try outcome(loop) { done in
      file.receive(from: peers.server, done)
      whenWritten("abc", folder, loop) { peers.server.close() }
    }
    // The peer has not ended its side, and what it sends from now on is discarded.
    XCTAssertEqual(result, .failure(PumpError(.connection(.local), byteCountDone: 3)))
    peers.abort()
  }

  func test_slowFileHoldsThePeerUp() throws {
    let (loop, folder, file, _) = try make()
    let peers = try Peers(on: loop)
    let bytes = Pattern.block(1, byteCount: 2_000_000)
    try peers.client.write(bytes)
    peers.client.shutdownOutput()
    var configuration = FileWriter.Configuration()
    configuration.chunkByteCount = 3000
    configuration.bufferByteCount = 4000
    XCTAssertEqual(
      try outcome(loop) { file.receive(from: peers.server, configuration: configuration, $0) },
      .success(2_000_000))
    XCTAssertTrue(try folder.contents(of: "file") == bytes)
    peers.abort()
  }

  private func error(
    _ reason: PumpError.Reason, _ file: File, _ peers: Peers, byteCountDone: Int64
  ) -> PumpError {
    PumpError(
      reason, byteCountDone: byteCountDone, path: file.path, peer: peers.server.peerAddress)
  }
}
