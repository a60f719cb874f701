#if NIO
  import NIOCore
  import NIOEmbedded
  import NIOPosix
  import NIOPosixAIO
  import PosixAIO
  import SystemPackage
  import TestSupport
  import XCTest

  import struct SystemPackage.FileDescriptor

  final class FileTests: XCTestCase {
    func test_programOfTheOverviewReadsAFile() async throws {
      let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
      let fileSystem = LoopFileSystem(on: group.next())
      let hosts = try await fileSystem.readToEnd(ofFileAt: "/etc/hosts", maximumSizeAllowed: 65_536)
      XCTAssertTrue(String(buffer: hosts).contains("localhost"))
      try await group.shutdownGracefully()
    }

    func test_bytesComeBack_afterAwaitedWritesAndSyncs() async throws {
      for count in [1, 4] {
        try await Loops.onEach(of: count) { files, path in
          let name = path.appending("file")
          let file = try await files.openFile(forReadingAndWritingAt: name, options: [.create])
          for number in 0..<20 {
            try await file.write(contentsOf: .block(number), toAbsoluteOffset: Int64(number) * 4096)
          }
          try await file.synchronize(dataOnly: true)
          try await file.synchronize()
          for number in 0..<20 {
            let read = try await file.readChunk(
              fromAbsoluteOffset: Int64(number) * 4096, length: 4096)
            XCTAssertEqual(read, .block(number))
          }
          let end = try await file.readChunk(fromAbsoluteOffset: 19 * 4096 + 4000, length: 4096)
          XCTAssertEqual(end.readableBytes, 96)
          let after = try await file.readChunk(fromAbsoluteOffset: 20 * 4096, length: 1)
          XCTAssertEqual(after.readableBytes, 0)
          let none = try await file.readChunk(fromAbsoluteOffset: 0, length: 0)
          XCTAssertEqual(none.readableBytes, 0)
          try await file.close()
        }
      }
    }

    func test_bytesComeBack_afterWritesByFuturesOfAnotherThread() async throws {
      for count in [1, 4] {
        try await Loops.run(count) { loops in
          for number in 0..<count {
            let files = loops.next()
            let name = loops.path.appending("file-\(number)")
            let opening: EventLoopFuture<LoopFile> = files.openFile(
              forReadingAndWritingAt: name, options: [.create])
            let file = try await opening.get()
            let writes: [EventLoopFuture<Void>] = (0..<50).map {
              file.write(contentsOf: .block($0), toAbsoluteOffset: Int64($0) * 4096)
            }
            let sync: EventLoopFuture<Void> = file.synchronize()
            try await sync.get()
            for write in writes { try await write.get() }
            let reads: [EventLoopFuture<ByteBuffer>] = (0..<50).map {
              file.readChunk(fromAbsoluteOffset: Int64($0) * 4096, length: 4096)
            }
            for (number, read) in reads.enumerated() {
              let buffer = try await read.get()
              XCTAssertEqual(buffer, .block(number))
            }
            let whole: EventLoopFuture<ByteBuffer> = file.readToEnd()
            let byteCount = try await whole.get().readableBytes
            XCTAssertEqual(byteCount, 50 * 4096)
            let info: EventLoopFuture<FileStatus> = file.info()
            let status = try await info.get()
            XCTAssertEqual(status.byteCount, 50 * 4096)
            let closing: EventLoopFuture<Void> = file.close()
            try await closing.get()
          }
        }
      }
    }

    func test_appendsKeepTheirOrder_andSeveralBuffersFollowEachOther() async throws {
      try await Loops.onEach(of: 1) { files, path in
        let name = path.appending("log")
        let log = try await files.openFile(forWritingAt: name, options: [.create, .append])
        let appends: [EventLoopFuture<Void>] = (0..<100).map {
          log.append(contentsOf: ByteBuffer(string: "\($0),"))
        }
        for append in appends { try await append.get() }
        try await log.append(contentsOf: ByteBuffer(string: "end"))
        try await log.close()
        let text = try await files.readToEnd(ofFileAt: name)
        XCTAssertEqual(String(buffer: text), (0..<100).map { "\($0)," }.joined() + "end")

        let file = try await files.openFile(forReadingAndWritingAt: name, options: [.truncate])
        let parts = [ByteBuffer(string: "ab"), ByteBuffer(), ByteBuffer(string: "cd")]
        try await file.write(contentsOf: parts, toAbsoluteOffset: 1)
        try await file.write(contentsOf: ByteBuffer(), toAbsoluteOffset: 0)
        let joined = try await file.readToEnd(fromAbsoluteOffset: 1)
        XCTAssertEqual(String(buffer: joined), "abcd")
        try await file.close()
      }
    }

    func test_chunksCoverTheRange_cachedOrNot() async throws {
      for count in [1, 4] {
        try await Loops.onEach(of: count) { files, path in
          let name = path.appending("file")
          let content = ByteBuffer.block(7, byteCount: 1_000_000)
          try await files.replace(contentsOf: name, with: content)
          for isCached in [true, false] {
            if !isCached { try dropFromPageCache(name) }
            try await files.withFile(forReadingAt: name) { file in
              var whole = ByteBuffer()
              for try await var chunk in file.readChunks(chunkLength: 64 * 1024) {
                XCTAssertLessThanOrEqual(chunk.readableBytes, 64 * 1024)
                whole.writeBuffer(&chunk)
              }
              XCTAssertEqual(whole, content)
            }
          }
          try dropFromPageCache(name)
          try await files.withFile(forReadingAt: name) { file in
            var counts: [Int] = []
            for try await chunk in file.readChunks(in: 10..<1010, chunkLength: 400) {
              counts.append(chunk.readableBytes)
            }
            XCTAssertEqual(counts, [400, 400, 200])
            // Dropping the iterator leaves the reads ahead; closing waits for them.
            var iterator = file.readChunks(chunkLength: 1000).makeAsyncIterator()
            let first = try await iterator.next()
            XCTAssertEqual(first, content.getSlice(at: 0, length: 1000))
          }
        }
      }
    }

    func test_chunksAreReadOffTheLoop() async throws {
      try await Loops.run { loops in
        let files = loops.next()
        let name = loops.path.appending("file")
        let content = ByteBuffer.block(1, byteCount: 300_000)
        try await files.replace(contentsOf: name, with: content)
        try await files.withFile(forReadingAt: name) { file in
          var whole = ByteBuffer()
          for try await var chunk in file.readChunks(chunkLength: 4096) {
            whole.writeBuffer(&chunk)
          }
          XCTAssertEqual(whole, content)
        }
      }
    }

    func test_fileIsReadToItsEnd_withinItsLimit() async throws {
      try await Loops.onEach(of: 1) { files, path in
        let status = try await files.readToEnd(ofFileAt: "/proc/self/status")
        XCTAssertTrue(String(buffer: status).contains("VmRSS"))
        let name = path.appending("file")
        try await files.replace(contentsOf: name, with: .block(1, byteCount: 400_000))
        let whole = try await files.readToEnd(ofFileAt: name, maximumSizeAllowed: 400_000)
        XCTAssertEqual(whole, .block(1, byteCount: 400_000))
        await assertFails(.fileTooLarge, .read) {
          try await files.readToEnd(ofFileAt: name, maximumSizeAllowed: 399_999)
        }
        await assertFails(.isDirectory, .read) { try await files.readToEnd(ofFileAt: path) }
        await assertFails(.invalidArgument, .read) {
          try await files.readToEnd(ofFileAt: "/dev/null")
        }
      }
    }

    func test_sizeAndSpaceChange() async throws {
      try await Loops.onEach(of: 1) { files, path in
        let file = try await files.openFile(
          forReadingAndWritingAt: path.appending("file"), options: [.create])
        try await file.resize(to: 10_000)
        let resized = try await file.info()
        XCTAssertEqual(resized.byteCount, 10_000)
        try await file.allocate(0..<50_000)
        let allocated = try await file.info()
        XCTAssertEqual(allocated.byteCount, 50_000)
        await assertFails(.invalidArgument, .truncate) { try await file.resize(to: -1) }
        await assertFails(.invalidArgument, .allocate) { try await file.allocate(5..<5) }
        try await file.close()
      }
    }

    func test_errorsNameOperationPathAndOffset() async throws {
      try await Loops.onEach(of: 1) { files, path in
        let missing = path.appending("missing")
        let opening = await assertFails(.noSuchFileOrDirectory, .open) {
          try await files.openFile(forReadingAt: missing)
        }
        XCTAssertEqual(opening?.path, missing)
        let file = try await files.openFile(forWritingAt: missing, options: [.create])
        let reading = await assertFails(.badFileDescriptor, .read) {
          try await file.readChunk(fromAbsoluteOffset: 5, length: 10)
        }
        XCTAssertEqual(reading?.path, missing)
        XCTAssertEqual(reading?.offset, 5)
        await assertFails(.invalidArgument, .read) {
          try await file.readChunk(fromAbsoluteOffset: -1, length: 10)
        }
        try await file.close()
      }
    }

    func test_secondCloseHasTheOutcomeOfTheFirst_andLaterCallsFail() async throws {
      try await Loops.onEach(of: 1) { files, path in
        let name = path.appending("file")
        let written = try await files.openFile(forWritingAt: name, options: [.create])
        try await written.close()
        let read = try await files.openFile(forReadingAt: name)
        for file in [written, read] {
          let first: EventLoopFuture<Void> = file.close()
          let second: EventLoopFuture<Void> = file.close()
          try await first.get()
          try await second.get()
          try await file.close()
          await assertFails(.badFileDescriptor) {
            try await file.readChunk(fromAbsoluteOffset: 0, length: 1)
          }
          await assertFails(.badFileDescriptor, .status) { try await file.info() }
          await assertFails(.badFileDescriptor, .sync) { try await file.synchronize() }
          await assertFails(.badFileDescriptor, .truncate) { try await file.resize(to: 1) }
        }
      }
    }

    func test_closeWaitsForReads_thatWaitForATurnOfTheLoop() async throws {
      try await Loops.onEach(of: 1) { files, path in
        let name = path.appending("file")
        try await files.replace(contentsOf: name, with: .block(1, byteCount: 400_000))
        let file = try await files.openFile(forReadingAt: name)
        let reads: [EventLoopFuture<ByteBuffer>] = (0..<50).map {
          file.readChunk(fromAbsoluteOffset: Int64($0) * 4096, length: 4096)
        }
        let tasks = (0..<50).map { number in
          Task(executorPreference: LoopTaskExecutor(files.eventLoop)) {
            try await file.readChunk(fromAbsoluteOffset: Int64(number) * 4096, length: 4096)
          }
        }
        // The tasks begin before this one goes on.
        await Task.yield()
        try await file.close()
        for read in reads {
          let byteCount = try await read.get().readableBytes
          XCTAssertEqual(byteCount, 4096)
        }
        for task in tasks {
          let byteCount = try await task.value.readableBytes
          XCTAssertEqual(byteCount, 4096)
        }
      }
    }

    func test_readOfMoreThanABufferHoldsFails_whateverTheFileHas() async throws {
      try await Loops.onEach(of: 1) { files, path in
        let name = path.appending("sparse")
        let file = try await files.openFile(forReadingAndWritingAt: name, options: [.create])
        for length in [LoopFile.chunkLengthLimit + 1, .max] {
          await assertFails(.invalidArgument, .read) {
            try await file.readChunk(fromAbsoluteOffset: 0, length: length)
          }
        }
        for size in [Int64(LoopFile.chunkLengthLimit), 5 << 30] {
          try await file.resize(to: size)
          for allowed in [Int.max, .max - 1, 6 << 30] {
            await assertFails(.fileTooLarge, .read) {
              try await files.readToEnd(ofFileAt: name, maximumSizeAllowed: allowed)
            }
          }
        }
        try await file.close()
      }
    }

    func test_loopWithoutDescriptorsIsRefused() async throws {
      let loop = EmbeddedEventLoop()
      let opening: EventLoopFuture<LoopFile> = LoopFileSystem(on: loop).openFile(
        forReadingAt: "/dev/null")
      XCTAssertThrowsError(try opening.wait()) { error in
        XCTAssertEqual((error as? FileError)?.errno, .notSupported)
      }
      try await loop.shutdownGracefully()
    }
  }
#endif
