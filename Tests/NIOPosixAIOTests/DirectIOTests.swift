#if NIO
  import NIOCore
  import NIOPosixAIO
  import PosixAIO
  import SystemPackage
  import XCTest

  import struct SystemPackage.FileDescriptor

  final class DirectIOTests: XCTestCase {
    /// Memory of the package is aligned for direct IO; a `ByteBuffer` of the user's may not be.
    func test_bytesComeBack_byDirectIO() async throws {
      try await Loops.onEach(of: 1) { files, path in
        let name = path.appending("file")
        let writer: LoopFile
        do throws(FileError) {
          writer = try await files.openFile(
            forWritingAt: name, options: [.create, .directIO])
        } catch {
          guard error.errno == .invalidArgument else { throw error }
          throw XCTSkip("the file system has no direct IO")
        }
        let blocks = (1...3).map { ByteBuffer.block($0) }
        var all = ByteBuffer(integer: UInt8(0))
        for block in blocks { all.writeImmutableBuffer(block) }
        // Its bytes begin one after the start of the memory.
        all.moveReaderIndex(forwardBy: 1)
        try await writer.write(contentsOf: all, toAbsoluteOffset: 0)
        try await writer.close()
        let reader = try await files.openFile(forReadingAt: name, options: .directIO)
        for length in [4096, 8192, 1_048_576] {
          let read = try await reader.readChunk(fromAbsoluteOffset: 4096, length: length)
          let expected = all.getSlice(
            at: all.readerIndex + 4096, length: min(length, 2 * 4096))
          XCTAssertEqual(read, expected)
        }
        await assertFails(.invalidArgument, .read) {
          try await reader.readChunk(fromAbsoluteOffset: 1, length: 4096)
        }
        let whole = try await reader.readToEnd()
        XCTAssertEqual(whole, all)
        try await reader.close()
      }
    }
  }
#endif
