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

  /// Channels, and sequences of buffers, to files.
  final class FileReceiveTests: ChannelTestCase {
    private func makeTarget(_ name: String = "target") throws -> LoopFile {
      try LoopFileSystem(on: eventLoop)
        .openFile(
          forReadingAndWritingAt: directory.path.appending(name), options: [.create, .truncate]
        ).wait()
    }

    private func closeFile(_ file: LoopFile) throws {
      let closed: EventLoopFuture<Void> = file.close()
      try closed.wait()
    }

    func test_receiveWritesAllInput_untilThePeerEndsItsSide() throws {
      for (size, autoRead) in [(0, true), (1, true), (100_000, false), (5_000_000, true)] {
        let file = try makeTarget()
        let (channel, peer) = try makeChannel(autoRead: false)
        let received = file.receive(from: channel, durably: size == 100_000)
        try channel.setOption(.autoRead, value: autoRead).wait()
        let bytes = Pattern.block(size, byteCount: size)
        _ = try OtherThreadResult {
          peer.write(bytes)
          peer.finishWriting()
        }
        XCTAssertEqual(try received.wait(), Int64(size))
        XCTAssertTrue(try directory.contents(of: "target") == bytes, "\(size)")
        try channel.close().wait()
        try closeFile(file)
      }
    }

    func test_receiveWaitsForTheChannel_whenItIsNotActiveYet() throws {
      let file = try makeTarget()
      let transfer = eventLoop.makePromise(of: Int64.self)
      let server = try ServerBootstrap(group: eventLoop)
        .childChannelInitializer { channel in
          file.receive(from: channel).cascade(to: transfer)
          return channel.eventLoop.makeSucceededVoidFuture()
        }
        .bind(unixDomainSocketPath: directory.path.appending("socket").string).wait()
      let client = try ClientBootstrap(group: eventLoop)
        .connect(unixDomainSocketPath: directory.path.appending("socket").string).wait()
      try client.writeAndFlush(ByteBuffer(repeating: 7, count: 1000)).wait()
      try client.close().wait()
      XCTAssertEqual(try transfer.futureResult.wait(), 1000)
      XCTAssertTrue(try directory.contents(of: "target") == [UInt8](repeating: 7, count: 1000))
      try server.close().wait()
      try closeFile(file)
    }

    func test_receiveOfANumberOfBytes_passesTheRestOn() throws {
      let file = try makeTarget()
      let rest = RestRecorder()
      let (channel, peer) = try makeChannel()
      let bytes = Pattern.block(1, byteCount: 300_000)
      let received = file.receive(from: channel, byteCount: 200_000, at: 10)
      try channel.pipeline.addHandler(rest).wait()
      let written = try OtherThreadResult {
        peer.write(bytes)
        peer.finishWriting()
      }
      XCTAssertEqual(try received.wait(), 200_000)
      XCTAssertTrue(
        try directory.contents(of: "target")
          == [UInt8](repeating: 0, count: 10) + bytes.prefix(200_000))
      try channel.setOption(.autoRead, value: true).wait()
      try rest.ended(on: eventLoop).wait()
      XCTAssertNotNil(written.wait())
      let tail = try eventLoop.submit { rest.bytes }.wait()
      XCTAssertTrue(tail == Array(bytes.suffix(100_000)))
      try channel.close().wait()
      try closeFile(file)
    }

    func test_receiveFails_whenTheInputEndsEarly() throws {
      let file = try makeTarget()
      let (channel, peer) = try makeChannel()
      let received = file.receive(from: channel, byteCount: 1000)
      // Until the receive has begun.
      try eventLoop.submit {}.wait()
      peer.write([UInt8](repeating: 1, count: 999))
      peer.finishWriting()
      XCTAssertThrowsError(try received.wait()) { error in
        guard case .endOfInput? = reason(of: error) else { return XCTFail("\(error)") }
        XCTAssertEqual((error as? FileTransferError)?.byteCountDone, 999)
      }
      try channel.close().wait()
      try closeFile(file)
    }

    func test_receiveEnds_whenTheInputHasEndedBefore() throws {
      for byteCount: Int64? in [nil, 1000] {
        let file = try makeTarget()
        let rest = RestRecorder()
        let (channel, peer) = try makeChannel { [rest] }
        peer.finishWriting()
        try rest.ended(on: eventLoop).wait()
        let received = Result { try file.receive(from: channel, byteCount: byteCount).wait() }
        if byteCount == nil {
          XCTAssertEqual(try received.get(), 0)
        } else {
          XCTAssertThrowsError(try received.get()) { error in
            guard case .endOfInput? = reason(of: error) else { return XCTFail("\(error)") }
          }
        }
        try channel.close().wait()
        try closeFile(file)
      }
    }

    func test_receiveFails_whenTheFileCannotBeWritten() throws {
      let (file, _) = try makeFile(10)
      let (channel, peer) = try makeChannel()
      let received = file.receive(from: channel)
      peer.write([1, 2, 3])
      XCTAssertThrowsError(try received.wait()) { error in
        guard case .file(let error)? = reason(of: error) else { return XCTFail("\(error)") }
        XCTAssertEqual(error.errno, .badFileDescriptor)
      }
      try channel.close().wait()
      try closeFile(file)
    }

    func test_receiveIsCompletedOnce_whenTheChannelOrTheLoopEnds() throws {
      for shutsDown in [false, true] {
        let file = try makeTarget()
        let (channel, peer) = try makeChannel()
        let received = file.receive(from: channel, byteCount: 1_000_000)
        peer.write([UInt8](repeating: 1, count: 50_000))
        let ended = XCTestExpectation(description: "the transfer ends")
        received.whenFailure { _ in ended.fulfill() }
        if shutsDown {
          try shutDownGroup()
        } else {
          try channel.close().wait()
          try closeFile(file)
        }
        wait(for: [ended], timeout: 60)
        if shutsDown { try setUpWithError() }
      }
    }

    func test_receiveOfAllInputFails_whenTheChannelIsClosedHereInsteadOfByThePeer() throws {
      for shutsDown in [false, true] {
        let file = try makeTarget()
        let (channel, peer) = try makeChannel()
        let received = file.receive(from: channel)
        peer.write([UInt8](repeating: 1, count: 1000))
        let ended = XCTestExpectation(description: "the transfer fails")
        received.whenFailure { error in
          switch reason(of: error) {
          case .channel: break
          // The loop may end before the write of the bytes that have arrived.
          case .file(let error) where shutsDown: XCTAssertEqual(error.errno, .canceled)
          default: XCTFail("\(error)")
          }
          ended.fulfill()
        }
        if shutsDown { try shutDownGroup() } else { try channel.close().wait() }
        wait(for: [ended], timeout: 60)
        if shutsDown { try setUpWithError() } else { try closeFile(file) }
      }
    }

    func test_awaitedTransfersFail_whenTheLoopHasEnded() async throws {
      let file = try makeTarget()
      let (channel, _) = try makeChannel()
      try shutDownGroup()
      let (buffers, input) = AsyncStream.makeStream(of: ByteBuffer.self)
      input.yield(ByteBuffer(bytes: [1]))
      input.finish()
      for transfer in [
        { try await file.receive(from: buffers) }, { try await file.send(to: channel) },
      ] as [() async throws -> Int64] {
        do {
          _ = try await transfer()
          XCTFail("it did not fail")
        } catch {
          guard case .file(let error)? = reason(of: error) else { return XCTFail("\(error)") }
          XCTAssertEqual(error.errno, .canceled)
        }
      }
    }

    /// A pipe that nothing reads is a file that takes no more than its 64 KiB.
    func test_fileThatTakesNothingHoldsUpThePeer() throws {
      let path = directory.path.appending("pipe")
      XCTAssertEqual(unsafe mkfifo(path.string, 0o600), 0)
      let pipe = try FileDescriptor.open(path, .readWrite)
      defer { Glibc.close(pipe.rawValue) }
      let file = try LoopFileSystem(on: eventLoop).openFile(forWritingAt: path, options: []).wait()
      let (channel, peer) = try makeChannel(autoRead: true)
      let total = 16 * 1024 * 1024
      let received = file.receive(from: channel, byteCount: Int64(total))
      // Until the receive has begun.
      try eventLoop.submit {}.wait()
      // Blocks when the limit, the pipe and the sockets are full.
      var time = timeval(tv_sec: 1, tv_usec: 0)
      unsafe setsockopt(
        peer.number, SOL_SOCKET, SO_SNDTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
      let first = peer.write([UInt8](repeating: 7, count: total))
      XCTAssertLessThan(first, ReceiveLimits.byteCount + 2 * 1024 * 1024)
      let reading = try OtherThreadResult {
        var (count, chunk) = (0, [UInt8](repeating: 0, count: 64 * 1024))
        while count < total {
          let read = unsafe Glibc.read(pipe.rawValue, &chunk, chunk.count)
          guard read > 0 else { break }
          count += read
        }
        return count
      }
      time.tv_sec = 60
      unsafe setsockopt(
        peer.number, SOL_SOCKET, SO_SNDTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
      XCTAssertEqual(peer.write([UInt8](repeating: 7, count: total - first)), total - first)
      XCTAssertEqual(reading.wait(), total)
      XCTAssertEqual(try received.wait(), Int64(total))
      try channel.close().wait()
      try closeFile(file)
    }

    // MARK: - Sequences

    func test_receiveWritesASequenceInOrder() async throws {
      let file = try makeTarget()
      let bytes = Pattern.block(1, byteCount: 3_000_000)
      let (buffers, input) = AsyncStream.makeStream(of: ByteBuffer.self)
      for start in stride(from: 0, to: bytes.count, by: 7001) {
        input.yield(ByteBuffer(bytes: bytes[start..<min(start + 7001, bytes.count)]))
      }
      input.finish()
      let count = try await file.receive(from: buffers, durably: true)
      XCTAssertEqual(count, Int64(bytes.count))
      XCTAssertTrue(try directory.contents(of: "target") == bytes)
      try await file.close()
    }

    func test_receiveThrowsTheErrorOfItsSequence_afterTheWrites() async throws {
      struct Ended: Error {}
      let file = try makeTarget()
      let (buffers, input) = AsyncThrowingStream.makeStream(of: ByteBuffer.self)
      input.yield(ByteBuffer(repeating: 1, count: 5000))
      input.finish(throwing: Ended())
      do {
        _ = try await file.receive(from: buffers)
        XCTFail("the error was lost")
      } catch {
        guard case .channel(let cause)? = reason(of: error) else { return XCTFail("\(error)") }
        XCTAssertTrue(cause is Ended)
        XCTAssertEqual((error as? FileTransferError)?.byteCountDone, 5000)
      }
      try await file.close()
    }

    func test_receiveEndsWithItsTask() async throws {
      let file = try makeTarget()
      let (buffers, input) = AsyncStream.makeStream(of: ByteBuffer.self)
      input.yield(ByteBuffer(repeating: 1, count: 5000))
      let task = Task { try await file.receive(from: buffers) }
      task.cancel()
      do {
        _ = try await task.value
        XCTFail("a canceled transfer returned")
      } catch {
        guard case .canceled? = reason(of: error) else { return XCTFail("\(error)") }
      }
      try await file.close()
    }

    func test_receiveOfASequenceFails_whenTheFileCannotBeWritten() async throws {
      let (file, _) = try makeFile(10)
      let (buffers, input) = AsyncStream.makeStream(of: ByteBuffer.self)
      for _ in 0..<100 { input.yield(ByteBuffer(repeating: 1, count: 100_000)) }
      do {
        // The sequence does not end.
        _ = try await file.receive(from: buffers)
        XCTFail("the error was lost")
      } catch {
        guard case .file(let error)? = reason(of: error) else { return XCTFail("\(error)") }
        XCTAssertEqual(error.errno, .badFileDescriptor)
      }
      input.finish()
      try await file.close()
    }
  }

  /// Notes what passes a handler before it, and the end of the input.
  final class RestRecorder: ChannelInboundHandler, @unchecked Sendable {
    typealias InboundIn = ByteBuffer

    private(set) var bytes: [UInt8] = []
    private var hasEnded = false
    private var promise: EventLoopPromise<Void>?

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
      bytes += Array(unwrapInboundIn(data).readableBytesView)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
      guard case .inputClosed? = event as? ChannelEvent else { return }
      hasEnded = true
      promise?.succeed()
    }

    func ended(on eventLoop: any EventLoop) -> EventLoopFuture<Void> {
      eventLoop.flatSubmit { [self] in
        let promise = eventLoop.makePromise(of: Void.self)
        self.promise = promise
        if hasEnded { promise.succeed() }
        return promise.futureResult
      }
    }
  }
#endif
