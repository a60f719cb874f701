#if NIO
  import Glibc
  import NIOCore
  import NIOPosix
  import PosixAIO
  import Synchronization
  import SystemPackage
  import TestSupport
  import XCTest

  @testable import NIOPosixAIO

  final class EndTests: XCTestCase {
    func test_eachFutureCompletesOnce_whenLoopsShutDownWhileBusy() async throws {
      for count in [1, 4] {
        let completions = Mutex<[Int: Int]>([:])
        let kept = Mutex<[LoopFile]>([])
        try await Loops.run(count) { loops in
          var number = 0
          for _ in 0..<count {
            let files = loops.next()
            let name = loops.path.appending("file-\(number)")
            let file = try await files.openFile(forReadingAndWritingAt: name, options: [.create])
            kept.withLock { $0.append(file) }
            for place in 0..<200 {
              let key = number
              number += 1
              let offset = Int64(place) * 4096
              let operation: EventLoopFuture<Void> =
                switch place % 4 {
                case 0: file.write(contentsOf: .block(place), toAbsoluteOffset: offset)
                case 1: file.synchronize()
                case 2: file.readChunk(fromAbsoluteOffset: offset, length: 4096).map { _ in }
                default: file.resize(to: 1 << 20)
                }
              operation.whenComplete { _ in completions.withLock { $0[key, default: 0] += 1 } }
            }
          }
        }
        let counts = completions.withLock { $0 }
        XCTAssertEqual(counts.count, 200 * count)
        XCTAssertTrue(counts.values.allSatisfy { $0 == 1 })
        for file in kept.withLock({ $0 }) { try await Self.checkEnded(file) }
      }
    }

    private static func checkEnded(_ file: LoopFile) async throws {
      await assertFails(.canceled, .read) {
        try await file.readChunk(fromAbsoluteOffset: 0, length: 1)
      }
      await assertFails(.canceled, .close) { try await file.close() }
    }

    func test_readThatNeverEndsNeitherHoldsUpTheShutDown_norKeepsTheSignal() async throws {
      // More rounds than there are signals.
      for round in 0..<40 {
        let results = Mutex<[Result<ByteBuffer, any Error>]>([])
        let pipe = Mutex<NamedPipe?>(nil)
        try await Loops.run { loops in
          let made = try NamedPipe(loops.path.appending("pipe"))
          pipe.withLock { $0 = made }
          let file = try await loops.next().openFile(forReadingAt: made.path)
          let read: EventLoopFuture<ByteBuffer> = file.readChunk(fromAbsoluteOffset: 0, length: 1)
          read.whenComplete { result in results.withLock { $0.append(result) } }
          // Until the read has begun.
          let status: EventLoopFuture<FileStatus> = file.info()
          _ = try await status.get()
        }
        let all = results.withLock { $0 }
        XCTAssertEqual(all.count, 1, "round \(round)")
        XCTAssertThrowsError(try all[0].get()) { error in
          XCTAssertEqual((error as? FileError)?.errno, .canceled)
        }
        // The kernel's read ends now.
        let made = try XCTUnwrap(pipe.withLock { $0 })
        try made.write([1])
        try made.close()
      }
    }

    func test_droppedFilesAreClosed_whateverThreadDropsThem() async throws {
      try await Loops.run { loops in
        let files = loops.next()
        let name = loops.path.appending("file")
        try await files.replace(contentsOf: name, with: .block(1))
        let before = try openDescriptors().count
        for _ in 0..<20 {
          // On this thread, of one that is read and one that is written.
          _ = try await files.openFile(forReadingAt: name)
          _ = try await files.openFile(forWritingAt: name)
          try await Task(executorPreference: LoopTaskExecutor(files.eventLoop)) {
            _ = try await files.openFile(forReadingAt: name)
            let file = try await files.openFile(forReadingAndWritingAt: name)
            let write: EventLoopFuture<Void> = file.write(
              contentsOf: .block(2), toAbsoluteOffset: 0)
            // Dropped while a write is in progress.
            write.whenFailure { XCTFail("\($0)") }
          }.value
        }
        try await files.eventLoop.submit {}.get()
        try repeatUntil("the files are closed") { try openDescriptors().count <= before }
      }
    }

    func test_filesThatOutliveTheirLoopAreClosedWhenDropped() async throws {
      let before = try openDescriptors().count
      let kept = Mutex<[LoopFile]>([])
      try await Loops.run { loops in
        let files = loops.next()
        for number in 0..<5 {
          let file = try await files.openFile(
            forReadingAndWritingAt: loops.path.appending("\(number)"), options: [.create])
          kept.withLock { $0.append(file) }
        }
      }
      XCTAssertEqual(try openDescriptors().count, before + 5)
      kept.withLock { $0 = [] }
      XCTAssertEqual(try openDescriptors().count, before)
    }

    func test_taskContinues_afterTheLoopOfItsExecutorHasShutDown() async throws {
      let (turns, turn) = AsyncStream<Void>.makeStream()
      let (starts, start) = AsyncStream<Void>.makeStream()
      let task = Mutex<Task<Errno?, Never>?>(nil)
      try await Loops.run { loops in
        let files = loops.next()
        let started = Task(executorPreference: LoopTaskExecutor(files.eventLoop)) { () -> Errno? in
          start.yield()
          for await _ in turns {}
          do throws(FileError) {
            _ = try await files.openFile(forReadingAt: "/dev/null")
            return nil
          } catch {
            return error.errno
          }
        }
        task.withLock { $0 = started }
        _ = await starts.first { _ in true }
      }
      turn.finish()
      let errno = await task.withLock { $0 }?.value
      XCTAssertEqual(errno, .canceled)
    }

    func test_filesOfALoopThatShutsDownAreRefusedWithECANCELED_andNoDescriptorIsUsedAfterItsEnd()
      async throws
    {
      let before = try openDescriptors().count
      let results = Mutex<[Result<LoopFile, any Error>]>([])
      try await Loops.run { loops in
        let files = loops.next()
        // A channel that is closed when the loop has begun to shut down.
        let server = try await ServerBootstrap(group: files.eventLoop)
          .bind(host: "127.0.0.1", port: 0).get()
        server.closeFuture.whenComplete { _ in
          let opened: EventLoopFuture<LoopFile> = files.openFile(forReadingAt: "/dev/null")
          opened.whenComplete { result in results.withLock { $0.append(result) } }
        }
      }
      let all = results.withLock { $0 }
      XCTAssertEqual(all.count, 1)
      // EBADF would tell that a descriptor was used after the queue had closed it.
      XCTAssertThrowsError(try all.first?.get()) { error in
        XCTAssertEqual((error as? FileError)?.errno, .canceled)
      }
      XCTAssertEqual(try openDescriptors().count, before)
    }

    func test_futuresFail_whenTheLoopHasEnded() async throws {
      let kept = Mutex<(LoopFileSystem, LoopFile)?>(nil)
      try await Loops.run { loops in
        let files = loops.next()
        let file = try await files.openFile(forReadingAt: "/dev/null")
        kept.withLock { $0 = (files, file) }
      }
      let (files, file) = try XCTUnwrap(kept.withLock { $0 })
      // In debug builds, NIO ends the process if one of them is never completed.
      let _: EventLoopFuture<FileStatus> = files.info(forFileAt: "/dev/null")
      let _: EventLoopFuture<LoopFile> = files.openFile(forReadingAt: "/dev/null")
      let _: EventLoopFuture<ByteBuffer> = files.readToEnd(ofFileAt: "/dev/null")
      let _: EventLoopFuture<Void> = files.replace(contentsOf: "/dev/null", with: ByteBuffer())
      let _: EventLoopFuture<ByteBuffer> = file.readToEnd()
      let _: EventLoopFuture<FileStatus> = file.info()
    }

    func test_futureOfSeveralStepsCompletes_whenTheLoopEndsBetweenThem() async throws {
      let (turns, turn) = AsyncStream<Void>.makeStream()
      let results = Mutex<[Result<Void, any Error>]>([])
      try await Loops.run { loops in
        let eventLoop = loops.group.next()
        let call = FileCall(.read, "file")
        let future = try await eventLoop.submit {
          let owner = try LoopQueue.of(eventLoop)
          return owner.future(call) { done in
            owner.steps(call, done) { () throws(FileError) in
              for await _ in turns {}
            }
          }
        }.get()
        future.whenComplete { result in results.withLock { $0.append(result) } }
      }
      turn.finish()
      let all = results.withLock { $0 }
      XCTAssertEqual(all.count, 1)
      XCTAssertThrowsError(try all.first?.get()) { error in
        XCTAssertEqual((error as? FileError)?.errno, .canceled)
      }
    }

    func test_loopsWithoutASignalFailWithEBUSY_andOthersWork() async throws {
      try await Loops.run(40) { loops in
        var refusedCount = 0
        for _ in 0..<40 {
          do {
            _ = try await loops.next().openFile(forReadingAt: "/dev/null")
          } catch let error as FileError {
            XCTAssertEqual(error.errno, .resourceBusy)
            refusedCount += 1
          }
        }
        XCTAssertGreaterThan(refusedCount, 0)
        XCTAssertLessThanOrEqual(refusedCount, 12)
      }
    }

    func test_noThreadIsMade_besidesThoseOfNIOAndGlibc() async throws {
      try await Loops.run { loops in
        let files = loops.next()
        let name = loops.path.appending("file")
        try await files.replace(contentsOf: name, with: .block(1))
        let before = ProcessThreads.count()
        try await Task(executorPreference: LoopTaskExecutor(files.eventLoop)) {
          for _ in 0..<10 {
            try await files.replace(contentsOf: name, with: .block(1))
            try dropFromPageCache(name)
            _ = try await files.readToEnd(ofFileAt: name)
          }
        }.value
        XCTAssertLessThanOrEqual(ProcessThreads.count(), before)
      }
    }
  }
#endif
