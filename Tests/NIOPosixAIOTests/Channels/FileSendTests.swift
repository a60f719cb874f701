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

  /// Files to channels.
  final class FileSendTests: ChannelTestCase {
    private static let sizes = [
      0, 1, 16 * 1024, 16 * 1024 + 1, 64 * 1024, 256 * 1024, 256 * 1024 + 1, 1024 * 1024 + 3,
      5 * 1024 * 1024,
    ]

    func test_sendDeliversEveryByte_ofAnySize_withAndWithoutRegions() throws {
      for (size, allowsRegions) in Self.sizes.flatMap({ [($0, true), ($0, false)] }) {
        let (file, bytes) = try makeFile(size)
        let (channel, peer) = try makeChannel()
        let sent: EventLoopFuture<Int64> = file.send(to: channel, allowsFileRegions: allowsRegions)
        XCTAssertTrue(peer.read(size) == bytes, "\(size) \(allowsRegions)")
        XCTAssertEqual(try sent.wait(), Int64(size))
        try channel.close().wait()
        try closeFile(file)
      }
    }

    func test_sendDeliversEveryByte_ofAFileThatIsNotCached() throws {
      for size in Self.sizes where size > 0 {
        let (file, bytes) = try makeFile(size)
        try cool("file")
        let (channel, peer) = try makeChannel()
        let sent: EventLoopFuture<Int64> = file.send(0..<Int64(size), to: channel)
        XCTAssertTrue(peer.read(size) == bytes, "\(size)")
        XCTAssertEqual(try sent.wait(), Int64(size))
        try channel.close().wait()
        try closeFile(file)
      }
    }

    func test_sendDeliversARange_andTheMessageAfterIt() throws {
      let (file, bytes) = try makeFile(1024 * 1024)
      let ranges: [Range<Int64>] = [0..<0, 5..<6, 4095..<70_000, 100_000..<1024 * 1024]
      for range in ranges {
        let (channel, peer) = try makeChannel()
        let last = IOData.byteBuffer(ByteBuffer(string: "last"))
        let sent: EventLoopFuture<Int64> = file.send(range, to: channel, followedBy: last) { $0 }
        let expected = bytes[Int(range.lowerBound)..<Int(range.upperBound)] + Array("last".utf8)
        XCTAssertTrue(peer.read(expected.count) == Array(expected), "\(range)")
        XCTAssertEqual(try sent.wait(), Int64(range.count))
        try channel.close().wait()
      }
      try closeFile(file)
    }

    func test_cachedRangeGoesAsRegionsOneAtATime() throws {
      try skipUnlessCacheIsKnown()
      let (file, bytes) = try makeFile(3 * 1024 * 1024)
      let recorder = PieceRecorder()
      let (channel, peer) = try makeChannel { [recorder] }
      let sent: EventLoopFuture<Int64> = file.send(to: channel)
      XCTAssertTrue(peer.read(bytes.count) == bytes)
      _ = try sent.wait()
      try eventLoop.submit {
        XCTAssertEqual(recorder.buffers, [])
        XCTAssertEqual(recorder.regions.count, 12)
        XCTAssertEqual(recorder.mostOutstanding, 1)
      }.wait()
      try channel.close().wait()
      try closeFile(file)
    }

    func test_peerThatReadsNothingHoldsUpTheSend_withTwoChunksInMemory() throws {
      let (file, bytes) = try makeFile(8 * 1024 * 1024)
      let recorder = PieceRecorder()
      let (channel, peer) = try makeChannel { [recorder] }
      let sent: EventLoopFuture<Int64> = file.send(to: channel, allowsFileRegions: false)
      XCTAssertTrue(peer.read(bytes.count) == bytes)
      _ = try sent.wait()
      try eventLoop.submit {
        XCTAssertEqual(recorder.regions, [])
        XCTAssertLessThanOrEqual(recorder.mostOutstanding, SendLimits.chunkCount)
        XCTAssertLessThanOrEqual(
          recorder.mostOutstandingByteCount,
          SendLimits.chunkCount * Int(SendLimits.chunkByteCount))
      }.wait()
      try channel.close().wait()
      try closeFile(file)
    }

    /// The calls on other files than regular ones of a local file system may wait for a server.
    func test_sendReadsWhatIsNoRegularFile() throws {
      let pipe = try NamedPipe(directory.path.appending("pipe"))
      defer { XCTAssertNoThrow(try pipe.close()) }
      try pipe.write([1, 2, 3])
      let file = try open("pipe")
      let (channel, peer) = try makeChannel()
      let sent: EventLoopFuture<Int64> = file.send(0..<3, to: channel)
      XCTAssertEqual(try sent.wait(), 3)
      XCTAssertEqual(peer.read(3), [1, 2, 3])
      let closed: EventLoopFuture<Void> = file.close()
      try closed.wait()
      let late: EventLoopFuture<Int64> = file.send(0..<3, to: channel)
      XCTAssertThrowsError(try late.wait()) { error in
        guard case .file(let error)? = reason(of: error) else { return XCTFail("\(error)") }
        XCTAssertEqual(error.errno, .badFileDescriptor)
      }
      try channel.close().wait()
    }

    func test_smallCachedRangeIsOneBuffer() throws {
      let (file, bytes) = try makeFile(16 * 1024)
      let recorder = PieceRecorder()
      let (channel, peer) = try makeChannel { [recorder] }
      let sent: EventLoopFuture<Int64> = file.send(0..<16 * 1024, to: channel)
      XCTAssertTrue(peer.read(bytes.count) == bytes)
      _ = try sent.wait()
      try eventLoop.submit { XCTAssertEqual(recorder.buffers, [16 * 1024]) }.wait()
      try channel.close().wait()
      try closeFile(file)
    }

    func test_manySendsOnFourLoopsDeliverTheirOwnBytes() async throws {
      let loops = MultiThreadedEventLoopGroup(numberOfThreads: 4)
      let size = 700_000
      let bytes = Pattern.block(1, byteCount: size)
      try directory.write(bytes, to: "file")
      let path = directory.path.appending("file")
      try await withThrowingTaskGroup(of: Void.self) { tasks in
        for number in 0..<32 {
          let loop = loops.next()
          tasks.addTask {
            var sockets: [Int32] = [0, 0]
            let kind = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
            guard unsafe socketpair(AF_UNIX, kind, 0, &sockets) == 0 else { throw Errno.ioError }
            let peer = PeerSocket(sockets[1])
            let channel = try await ClientBootstrap(group: loop).withConnectedSocket(sockets[0])
              .get()
            let file = try await LoopFileSystem(on: loop).openFile(forReadingAt: path)
            let received = try OtherThreadResult { peer.read(size) }
            let sent = try await file.send(
              to: channel, allowsFileRegions: number.isMultiple(of: 2))
            XCTAssertEqual(sent, Int64(size))
            XCTAssertTrue(received.wait() == bytes)
            try await channel.close()
            try await file.close()
          }
        }
        try await tasks.waitForAll()
      }
      try await loops.shutdownGracefully()
    }

    func skipUnlessCacheIsKnown() throws {
      let path = directory.path.appending("probe")
      try directory.write(Pattern.block(0, byteCount: 64 * 1024), to: "probe")
      let file = try FileDescriptor.open(path, .readOnly)
      defer { Glibc.close(file.rawValue) }
      try XCTSkipIf(
        PageCache.missingPageCount(of: file, 0..<64 * 1024) != 0,
        "the kernel does not tell what is cached")
    }

    func closeFile(_ file: LoopFile) throws {
      let closed: EventLoopFuture<Void> = file.close()
      try closed.wait()
    }
  }
#endif
