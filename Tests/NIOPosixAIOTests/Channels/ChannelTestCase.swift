#if NIO
  import Glibc
  import NIOCore
  import NIOPosix
  import PosixAIO
  import Synchronization
  import SystemPackage
  import TestSupport
  import XCTest

  import struct SystemPackage.FileDescriptor
  @testable import NIOPosixAIO

  /// Files and channels of one event loop, with the other end of a channel in the test's hands.
  class ChannelTestCase: XCTestCase {
    private(set) var group: MultiThreadedEventLoopGroup!
    private(set) var directory: TemporaryDirectory!
    /// Made once, since that takes long in a debug build.
    private var patterns: [Int: [UInt8]] = [:]

    var eventLoop: any EventLoop { group.next() }

    override func setUpWithError() throws {
      // A new file may have the number of one that an earlier test removed.
      CacheDoubts.shared.removeAll()
      group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
      directory = try TemporaryDirectory()
    }

    override func tearDownWithError() throws {
      try group?.syncShutdownGracefully()
      group = nil
    }

    /// Shuts the loop down before the end of the test.
    final func shutDownGroup() throws {
      try group.syncShutdownGracefully()
      group = nil
    }

    /// A file with bytes that tell where they belong, all in the page cache.
    final func makeFile(_ byteCount: Int, _ name: String = "file") throws -> (LoopFile, [UInt8]) {
      let bytes = patterns[byteCount] ?? Pattern.block(byteCount, byteCount: byteCount)
      patterns[byteCount] = bytes
      try directory.write(bytes, to: name)
      let read = try directory.contents(of: name)
      XCTAssertEqual(read.count, byteCount)
      return (try open(name), bytes)
    }

    final func open(_ name: String) throws -> LoopFile {
      try LoopFileSystem(on: eventLoop)
        .openFile(forReadingAt: directory.path.appending(name)).wait()
    }

    /// Has a file's pages leave the cache. A file system in memory keeps them.
    final func cool(_ name: String) throws {
      let file = try FileDescriptor.open(directory.path.appending(name), .readOnly)
      XCTAssertEqual(fsync(file.rawValue), 0)
      XCTAssertEqual(posix_fadvise(file.rawValue, 0, 0, POSIX_FADV_DONTNEED), 0)
      try file.close()
    }

    /// A channel, and the socket that it is connected to.
    ///
    /// - Parameter byteCount: The size of the kernel's buffers in bytes.
    final func makeChannel(
      bufferByteCount byteCount: Int32 = 64 * 1024, autoRead: Bool = false,
      _ handlers: @escaping @Sendable () -> [any ChannelHandler] = { [] }
    ) throws -> (any Channel, PeerSocket) {
      var sockets: [Int32] = [0, 0]
      let kind = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
      XCTAssertEqual(unsafe socketpair(AF_UNIX, kind, 0, &sockets), 0)
      for socket in sockets {
        var size = byteCount
        for option in [SO_SNDBUF, SO_RCVBUF] {
          unsafe setsockopt(
            socket, SOL_SOCKET, option, &size, socklen_t(MemoryLayout<Int32>.size))
        }
      }
      let channel = try ClientBootstrap(group: eventLoop)
        .channelOption(.autoRead, value: autoRead)
        .channelOption(.allowRemoteHalfClosure, value: true)
        .channelInitializer { channel in
          channel.eventLoop.makeCompletedFuture {
            try channel.pipeline.syncOperations.addHandlers(handlers())
          }
        }
        .withConnectedSocket(sockets[0]).wait()
      return (channel, PeerSocket(sockets[1]))
    }
  }

  /// The other end of a channel: a blocking socket with a deadline.
  final class PeerSocket: @unchecked Sendable {
    let number: Int32

    init(_ number: Int32) {
      self.number = number
      var time = timeval(tv_sec: 60, tv_usec: 0)
      for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
        unsafe setsockopt(
          number, SOL_SOCKET, option, &time, socklen_t(MemoryLayout<timeval>.size))
      }
    }

    deinit { Glibc.close(number) }

    /// Reads so many bytes, or fewer at the end.
    func read(_ byteCount: Int) -> [UInt8] {
      var bytes = [UInt8](repeating: 0, count: byteCount)
      var done = 0
      while done < byteCount {
        let count = unsafe bytes[done...].withUnsafeMutableBytes {
          unsafe recv(number, $0.baseAddress, $0.count, 0)
        }
        // A queue's signal interrupts calls with a deadline.
        if count < 0, errno == EINTR { continue }
        guard count > 0 else { break }
        done += count
      }
      return Array(bytes.prefix(done))
    }

    func readToEnd() -> [UInt8] {
      var all: [UInt8] = []
      while true {
        let bytes = read(64 * 1024)
        all += bytes
        guard bytes.count == 64 * 1024 else { return all }
      }
    }

    /// Writes all bytes, or until the other end is gone.
    @discardableResult
    func write(_ bytes: [UInt8]) -> Int {
      var done = 0
      while done < bytes.count {
        let count = unsafe bytes[done...].withUnsafeBytes {
          unsafe send(number, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
        }
        if count < 0, errno == EINTR { continue }
        guard count > 0 else { break }
        done += count
      }
      return done
    }

    func finishWriting() { shutdown(number, Int32(SHUT_WR)) }
  }

  /// Notes the pieces that a channel gets, and how many it has not written.
  final class PieceRecorder: ChannelOutboundHandler, @unchecked Sendable {
    typealias OutboundIn = IOData
    typealias OutboundOut = IOData

    private(set) var regions: [Range<Int>] = []
    private(set) var buffers: [Int] = []
    private(set) var mostOutstanding = 0
    private(set) var mostOutstandingByteCount = 0
    private var outstanding = 0
    private var outstandingByteCount = 0
    /// Called on the loop with the number of pieces, before a piece goes on.
    var onPiece: ((Int, ChannelHandlerContext) -> Void)?

    func write(
      context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?
    ) {
      let piece = unwrapOutboundIn(data)
      switch piece {
      case .fileRegion(let region): regions.append(region.readerIndex..<region.endIndex)
      case .byteBuffer(let buffer): buffers.append(buffer.readableBytes)
      }
      let byteCount = piece.readableBytes
      outstanding += 1
      outstandingByteCount += byteCount
      mostOutstanding = max(mostOutstanding, outstanding)
      mostOutstandingByteCount = max(mostOutstandingByteCount, outstandingByteCount)
      // Of its own, to be told before the sender is.
      let written = context.eventLoop.makePromise(of: Void.self)
      written.futureResult.assumeIsolated().whenComplete { [self] result in
        outstanding -= 1
        outstandingByteCount -= byteCount
        promise?.completeWith(result)
      }
      onPiece?(regions.count + buffers.count, context)
      context.write(data, promise: written)
    }
  }

  /// What happened, in order.
  final class Notes: Sendable {
    private let notes = Mutex<[String]>([])

    var all: [String] { notes.withLock { $0 } }

    func add(_ note: String) { notes.withLock { $0.append(note) } }
  }

  func reason(of error: any Error) -> FileTransferError.Reason? {
    (error as? FileTransferError)?.reason
  }
#endif
