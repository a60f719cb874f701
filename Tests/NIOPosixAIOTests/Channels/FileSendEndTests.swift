#if NIO
  import Glibc
  import NIOCore
  import NIOPosix
  import PosixAIO
  import SystemPackage
  import TestSupport
  import XCTest

  import struct SystemPackage.FileDescriptor
  @testable import NIOPosixAIO

  /// The ways in which a send ends early. After each of them, the file can be closed, which means
  /// that nothing uses its descriptor any more.
  final class FileSendEndTests: ChannelTestCase {
    func test_sendFailsOnce_whenTheChannelIsClosedAtAnyPiece() throws {
      for allowsRegions in [true, false] {
        for stage in 1...12 {
          let (file, _) = try makeFile(2 * 1024 * 1024)
          let recorder = PieceRecorder()
          recorder.onPiece = { count, context in
            if count == stage { context.close(promise: nil) }
          }
          let (channel, peer) = try makeChannel { [recorder] }
          let received = try OtherThreadResult { peer.readToEnd().count }
          let sent: EventLoopFuture<Int64> = file.send(
            to: channel, allowsFileRegions: allowsRegions)
          let result = Result { try sent.wait() }
          if case .failure(let error) = result {
            guard case .channel? = reason(of: error) else { return XCTFail("\(error)") }
          } else {
            // Fewer pieces than that.
            try channel.close().wait()
          }
          XCTAssertNotNil(received.wait())
          try closeFile(file)
        }
      }
    }

    func test_sendFailsOnce_whenThePeerGoesAway() throws {
      for allowsRegions in [true, false] {
        let (file, _) = try makeFile(4 * 1024 * 1024)
        let (channel, peer) = try makeChannel()
        let sent: EventLoopFuture<Int64> = file.send(to: channel, allowsFileRegions: allowsRegions)
        _ = peer.read(100_000)
        shutdown(peer.number, Int32(SHUT_RDWR))
        XCTAssertThrowsError(try sent.wait()) { error in
          guard case .channel? = reason(of: error) else { return XCTFail("\(error)") }
        }
        try? channel.close().wait()
        try closeFile(file)
      }
    }

    func test_sendFails_whenTheChannelIsClosedBefore() throws {
      let (file, _) = try makeFile(100_000)
      let (channel, peer) = try makeChannel()
      try channel.close().wait()
      XCTAssertEqual(peer.readToEnd(), [])
      for range in [0..<100_000, 0..<10, 0..<0] as [Range<Int64>] {
        let sent: EventLoopFuture<Int64> = file.send(range, to: channel)
        XCTAssertEqual(try? sent.wait(), range.isEmpty ? 0 : nil)
      }
      try closeFile(file)
    }

    func test_sendFails_whenTheRangeEndsAfterTheFile() throws {
      for (size, end) in [(10, 11), (0, 1), (70_000, 70_001), (300_000, 900_000)] {
        let (file, bytes) = try makeFile(size)
        let (channel, peer) = try makeChannel()
        let sent: EventLoopFuture<Int64> = file.send(0..<Int64(end), to: channel)
        XCTAssertTrue(peer.read(size) == bytes)
        XCTAssertThrowsError(try sent.wait()) { error in
          guard case .endOfFile? = reason(of: error) else { return XCTFail("\(error)") }
        }
        try channel.close().wait()
        try closeFile(file)
      }
    }

    func test_sendFailsAndClosesTheChannel_whenTheFileIsTruncatedMeanwhile() throws {
      let (file, _) = try makeFile(2 * 1024 * 1024)
      let (channel, peer) = try makeChannel()
      let sent: EventLoopFuture<Int64> = file.send(to: channel)
      // The channel has a region, of which the socket has taken a part.
      _ = peer.read(1)
      let writing = try FileDescriptor.open(directory.path.appending("file"), .writeOnly)
      try writing.resize(to: 0)
      try writing.close()
      let received = try OtherThreadResult { peer.readToEnd().count }
      XCTAssertThrowsError(try sent.wait()) { error in
        guard case .endOfFile? = reason(of: error) else { return XCTFail("\(error)") }
      }
      // The channel is closed, or still open if the bytes were copied.
      channel.close(promise: nil)
      try channel.closeFuture.wait()
      XCTAssertNotNil(received.wait())
      try closeFile(file)
    }

    func test_sendGoesOn_whenItsFileIsClosed_andTheCloseWaits() throws {
      for allowsRegions in [true, false] {
        let (file, bytes) = try makeFile(2 * 1024 * 1024)
        let (channel, peer) = try makeChannel()
        let sent: EventLoopFuture<Int64> = file.send(to: channel, allowsFileRegions: allowsRegions)
        let closed: EventLoopFuture<Void> = file.close()
        let order = Notes()
        sent.whenComplete { _ in order.add("sent") }
        closed.whenComplete { _ in order.add("closed") }
        XCTAssertTrue(peer.read(bytes.count) == bytes)
        XCTAssertEqual(try sent.wait(), Int64(bytes.count))
        try closed.wait()
        try eventLoop.submit { XCTAssertEqual(order.all, ["sent", "closed"]) }.wait()
        try channel.close().wait()
      }
    }

    func test_sendFails_whenItsFileWasClosedBefore() throws {
      let (file, _) = try makeFile(100_000)
      try closeFile(file)
      let (channel, peer) = try makeChannel()
      let sent: EventLoopFuture<Int64> = file.send(to: channel)
      XCTAssertThrowsError(try sent.wait()) { error in
        guard case .file(let error)? = reason(of: error) else { return XCTFail("\(error)") }
        XCTAssertEqual(error.errno, .badFileDescriptor)
      }
      try channel.close().wait()
      XCTAssertEqual(peer.readToEnd().count, 0)
    }

    func test_sendIsCompletedOnce_whenItsLoopShutsDown() throws {
      for (allowsRegions, isCold) in [(true, false), (false, false), (true, true)] {
        let (file, _) = try makeFile(8 * 1024 * 1024)
        if isCold { try cool("file") }
        let (channel, peer) = try makeChannel()
        let sent: EventLoopFuture<Int64> = file.send(to: channel, allowsFileRegions: allowsRegions)
        _ = peer.read(1)
        let ended = XCTestExpectation(description: "the send ends")
        sent.whenFailure { _ in ended.fulfill() }
        try shutDownGroup()
        wait(for: [ended], timeout: 60)
        try setUpWithError()
      }
    }

    func test_canceledTaskGetsItsErrorAtOnce_andTheChannelStaysUsable() async throws {
      let (file, bytes) = try makeFile(4 * 1024 * 1024)
      let (channel, peer) = try makeChannel()
      let task = Task { try await file.send(to: channel) }
      XCTAssertEqual(peer.read(1).count, 1)
      task.cancel()
      do {
        _ = try await task.value
        XCTFail("a canceled send returned")
      } catch {
        guard case .canceled? = reason(of: error) else { return XCTFail("\(error)") }
      }
      let rest = try OtherThreadResult { peer.readToEnd() }
      try await channel.writeAndFlush(IOData.byteBuffer(ByteBuffer(string: "next")))
      try await channel.close()
      let received = try XCTUnwrap(rest.wait())
      XCTAssertEqual(received.suffix(4), ArraySlice("next".utf8))
      XCTAssertTrue(bytes[1...].starts(with: received.dropLast(4)))
      XCTAssertLessThan(received.count, bytes.count)
      try await file.close()
    }

    func test_canceledTaskStartsNothing() async throws {
      let (file, _) = try makeFile(100_000)
      let (channel, peer) = try makeChannel()
      let task = Task {
        unsafe withUnsafeCurrentTask { unsafe $0?.cancel() }
        return try await file.send(to: channel)
      }
      do {
        _ = try await task.value
        XCTFail("a canceled send returned")
      } catch {
        guard case .canceled? = reason(of: error) else { return XCTFail("\(error)") }
      }
      try await channel.close()
      XCTAssertEqual(peer.readToEnd().count, 0)
      try await file.close()
    }

    func test_noDescriptorStaysOpen_afterSendsThatFailed() throws {
      let before = try openDescriptors().count
      for _ in 0..<20 {
        let (file, _) = try makeFile(1024 * 1024)
        let (channel, peer) = try makeChannel()
        let sent: EventLoopFuture<Int64> = file.send(to: channel)
        _ = peer.read(1000)
        try channel.close().wait()
        XCTAssertThrowsError(try sent.wait())
        try closeFile(file)
      }
      // The loop's own, of the first file.
      XCTAssertLessThanOrEqual(try openDescriptors().count, before + 8)
    }

    private func closeFile(_ file: LoopFile) throws {
      let closed: EventLoopFuture<Void> = file.close()
      try closed.wait()
    }
  }
#endif
