#if NIO
  import NIOCore
  import NIOPosixAIO
  import PosixAIO
  import Synchronization
  import SystemPackage
  import TestSupport
  import XCTest

  final class StormTests: XCTestCase {
    func test_readTaskIsCancelledAtOnce_andItsFileIsUsable() async throws {
      try await Loops.onEach(of: 1) { files, path in
        let pipe = try NamedPipe(path.appending("pipe"))
        let file = try await files.openFile(forReadingAt: pipe.path)
        for _ in 0..<10 {
          let read = Task { try await file.readChunk(fromAbsoluteOffset: 0, length: 1) }
          await Task.yield()
          read.cancel()
          await assertFails(.canceled, .read) { try await read.value }
        }
        let waiting = Task {
          var chunks = file.readChunks().makeAsyncIterator()
          return try await chunks.next()
        }
        waiting.cancel()
        await assertFails(.canceled, .read) { try await waiting.value }
        // The first read may still be in the kernel, which gives it the first byte.
        for number in UInt8(0)..<20 { try pipe.write([number]) }
        let byte = try await file.readChunk(fromAbsoluteOffset: 0, length: 1)
        XCTAssertEqual(byte.readableBytes, 1)
        try await file.close()
        try pipe.close()
      }
    }

    func test_chunkOfAPipeIsNotAwaited_whenItsTaskIsCancelledOnTheWayToTheLoop() async throws {
      try await Loops.run { loops in
        let pipe = try NamedPipe(loops.path.appending("pipe"))
        let file = try await loops.next().openFile(forReadingAt: pipe.path)
        for round in 0..<5000 {
          let started = Atomic(false)
          let task = Task.detached {
            var chunks = file.readChunks(chunkLength: 1).makeAsyncIterator()
            started.store(true, ordering: .releasing)
            return try await chunks.next()
          }
          while !started.load(ordering: .acquiring) { await Task.yield() }
          // Another moment in each round.
          for _ in 0..<(round % 100) * 5 { _ = started.load(ordering: .acquiring) }
          task.cancel()
          await assertFails(.canceled, .read) { try await task.value }
        }
        try pipe.close()
      }
    }

    func test_everyOperationEndsOnce_inAStormWithCancellations() async throws {
      let seed = testSeed()
      for count in [1, 4] {
        let ended = Mutex(0)
        try await Loops.onEach(of: count) { files, path in
          let name = path.appending("file")
          try await files.replace(contentsOf: name, with: ByteBuffer())
          let file = try await files.openFile(forReadingAndWritingAt: name)
          let storm = Storm(file: file, files: files, path: name)
          try await withThrowingTaskGroup(of: Int.self) { group in
            for number in 0..<Storm.taskCount {
              group.addTask { try await storm.run(number, seed: seed &+ UInt64(number)) }
            }
            for try await taskEnded in group { ended.withLock { $0 += taskEnded } }
          }
          try await file.close()
        }
        XCTAssertEqual(
          ended.withLock { $0 }, count * Storm.taskCount * Storm.operationCount, "seed \(seed)")
      }
    }

    func test_futuresComplete_whenNoSignalCanBeQueued() throws {
      try ResourceLimit.pendingSignals.lowered(to: 0) {
        let done = expectation(description: "all futures")
        Task {
          try await Loops.run { loops in
            let file = try await loops.next().openFile(
              forReadingAndWritingAt: loops.path.appending("file"), options: [.create])
            let writes: [EventLoopFuture<Void>] = (0..<300).map {
              file.write(contentsOf: .block($0), toAbsoluteOffset: Int64($0) * 4096)
            }
            for write in writes { try await write.get() }
            try await file.synchronize()
            try dropFromPageCache(file.path)
            for number in 0..<300 {
              let read = try await file.readChunk(
                fromAbsoluteOffset: Int64(number) * 4096, length: 4096)
              XCTAssertEqual(read, .block(number))
            }
            try await file.close()
          }
          done.fulfill()
        }
        wait(for: [done], timeout: 120)
      }
    }
  }

  /// Random operations of one task. Each task has blocks of its own, and knows what they hold.
  private struct Storm: Sendable {
    static let taskCount = 50
    static let operationCount = 400
    private static let blockCount = 8

    let file: LoopFile
    let files: LoopFileSystem
    let path: FilePath

    /// - Returns: The number of operations that ended.
    func run(_ number: Int, seed: UInt64) async throws -> Int {
      var random = SeededGenerator(seed: seed)
      // Nil after a cancelled write.
      var content = [Int?](repeating: nil, count: Self.blockCount)
      for operation in 0..<Self.operationCount {
        let place = Int.random(in: 0..<Self.blockCount, using: &random)
        let offset = Int64(number * Self.blockCount + place) * 4096
        let isCancelled = random.oneIn(5)
        switch Int.random(in: 0..<10, using: &random) {
        case 0..<5:
          let read = try await value(isCancelled) {
            try await file.readChunk(fromAbsoluteOffset: offset, length: 4096)
          }
          if let read, let expected = content[place] {
            XCTAssertEqual(read, .block(expected), "seed \(seed)")
          }
        case 5..<8:
          content[place] = nil
          let written: Void? = try await value(isCancelled) {
            try await file.write(contentsOf: .block(operation), toAbsoluteOffset: offset)
          }
          // An abandoned write may still be running, so its block is not used any more.
          if written == nil { return operation + 1 + remaining(operation) }
          content[place] = operation
        case 8:
          _ = try await value(isCancelled) { try await file.synchronize(dataOnly: true) }
        default:
          let status = try await value(isCancelled) { try await files.info(forFileAt: path) }
          if let status { XCTAssertEqual(status.kind, .regular) }
        }
      }
      return Self.operationCount
    }

    private func remaining(_ operation: Int) -> Int { Self.operationCount - operation - 1 }

    /// - Returns: Nil if the operation was cancelled.
    private func value<Value: Sendable>(
      _ isCancelled: Bool, _ body: @escaping @Sendable () async throws -> Value
    ) async throws -> Value? {
      let task = Task(executorPreference: LoopTaskExecutor(file.eventLoop)) { try await body() }
      if isCancelled { task.cancel() }
      do {
        return try await task.value
      } catch let error as FileError where error.errno == .canceled && isCancelled {
        return nil
      }
    }
  }
#endif
