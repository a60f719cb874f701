#if NIO
  import Dispatch
  import Glibc
  import NIOCore
  import NIOPosix
  import NIOPosixAIO
  import PosixAIO
  import SystemPackage
  import TestSupport
  import XCTest

  import struct SystemPackage.FileDescriptor

  /// The loops, the pool and the directory of a test. Ends the process if the test takes longer
  /// than any machine needs.
  final class Loops: Sendable {
    let group: MultiThreadedEventLoopGroup
    let pool: NIOThreadPool
    let path: FilePath

    private init(_ count: Int, _ path: FilePath) {
      self.path = path
      group = MultiThreadedEventLoopGroup(numberOfThreads: count)
      // One thread, so that its calls have an order.
      pool = NIOThreadPool(numberOfThreads: 1)
      pool.start()
    }

    /// Calls `body`, and then shuts everything down.
    static func run(_ count: Int = 1, _ body: (Loops) async throws -> Void) async throws {
      let directory = try TemporaryDirectory()
      let deadline = DispatchSource.makeTimerSource()
      deadline.setEventHandler { fatalError("the deadline of a test has passed") }
      deadline.schedule(deadline: .now() + 120)
      deadline.resume()
      defer { deadline.cancel() }
      let loops = Loops(count, directory.path)
      do {
        try await body(loops)
      } catch {
        try? await loops.end()
        throw error
      }
      try await loops.end()
      withExtendedLifetime(directory) {}
    }

    /// Calls `body` in a task on each loop, at the same time.
    static func onEach(
      of count: Int, _ body: @escaping @Sendable (LoopFileSystem, FilePath) async throws -> Void
    ) async throws {
      try await run(count) { loops in
        let tasks = (0..<count).map { number in
          let files = loops.next()
          let path = loops.path.appending("loop-\(number)")
          return Task(executorPreference: LoopTaskExecutor(files.eventLoop)) {
            try await files.createDirectory(at: path)
            try await body(files, path)
          }
        }
        for task in tasks { try await task.value }
      }
    }

    func next() -> LoopFileSystem { LoopFileSystem(on: group.next(), threadPool: pool) }

    private func end() async throws {
      try await group.shutdownGracefully()
      try await pool.shutdownGracefully()
    }
  }

  extension ByteBuffer {
    /// The block `number` of ``Pattern``.
    static func block(_ number: Int, byteCount: Int = 4096) -> ByteBuffer {
      ByteBuffer(bytes: Pattern.block(number, byteCount: byteCount))
    }
  }

  /// Asserts that an operation fails, and returns its error.
  @discardableResult
  func assertFails<Value>(
    _ errno: Errno, _ operation: FileError.Operation? = nil, line: UInt = #line,
    _ body: () async throws -> Value
  ) async -> FileError? {
    do {
      _ = try await body()
      XCTFail("it did not fail", line: line)
    } catch let error as FileError {
      XCTAssertEqual(error.errno, errno, "\(error)", line: line)
      if let operation { XCTAssertEqual(error.operation, operation, line: line) }
      return error
    } catch {
      XCTFail("\(error)", line: line)
    }
    return nil
  }

  /// Removes a file's clean pages from the page cache, so that the next read asks the disk.
  func dropFromPageCache(_ path: FilePath) throws {
    let descriptor = try FileDescriptor.open(path, .readWrite)
    defer { close(descriptor.rawValue) }
    fsync(descriptor.rawValue)
    XCTAssertEqual(posix_fadvise(descriptor.rawValue, 0, 0, POSIX_FADV_DONTNEED), 0)
  }

  /// A named pipe, with both ends open here.
  struct NamedPipe {
    let path: FilePath
    private let descriptor: FileDescriptor

    init(_ path: FilePath) throws {
      self.path = path
      guard unsafe path.withPlatformString({ unsafe mkfifo($0, 0o600) }) == 0 else {
        throw Errno(rawValue: errno)
      }
      descriptor = try FileDescriptor.open(path, .readWrite)
    }

    func write(_ bytes: [UInt8]) throws { try descriptor.writeAll(bytes) }

    func close() throws { try descriptor.close() }
  }
#endif
