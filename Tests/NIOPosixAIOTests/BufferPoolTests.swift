#if NIO
  import NIOCore
  import PosixAIO
  import SystemPackage
  import XCTest

  @testable import NIOPosixAIO

  final class BufferPoolTests: XCTestCase {
    private static let byteCount = 128 * 1024

    func test_cachedReadFillsMemoryOfThePool_andGivesItBackWhenItsBufferIsDropped() async throws {
      try await Loops.onEach(of: 1) { files, path in
        let name = path.appending("file")
        try await files.replace(
          contentsOf: name, with: .block(1, byteCount: Self.byteCount))
        let file = try await files.openFile(forReadingAt: name)
        let pool = BufferPool()
        var chunk = file.queued.readBufferFromCache(Self.byteCount, at: 0, pool)
        XCTAssertEqual(chunk, .block(1, byteCount: Self.byteCount))
        let address = try Self.address(of: XCTUnwrap(chunk))
        // The chunk still uses the memory.
        XCTAssertNotEqual(Self.address(of: pool.take(Self.byteCount)), address)
        chunk = nil
        XCTAssertEqual(Self.address(of: pool.take(Self.byteCount)), address)
        try await file.close()
      }
    }

    private static func address(of buffer: ByteBuffer) -> Int {
      var buffer = buffer
      buffer.moveWriterIndex(to: byteCount)
      return unsafe buffer.withUnsafeReadableBytes { Int(bitPattern: $0.baseAddress) }
    }
  }
#endif
