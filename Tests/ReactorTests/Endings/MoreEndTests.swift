import CLibevent
import Glibc
import PosixAIO
import SystemPackage
import TestSupport
import XCTest

@testable import Reactor

final class MoreEndTests: XCTestCase {
  func test_closingEndsWhileAnotherThreadPassesOnMoreThanTheLoopCanDo() throws {
    let stop = NSLock()
    nonisolated(unsafe) var isOver = false
    let ends = try CloseWhileBusyTests.endsInTime {
      let loop = try EventLoop()
      let remote = loop.remote
      let thread = try OtherThread.start {
        while !stop.withLock({ unsafe isOver }), remote.execute({ _ in usleep(1000) }) {
          usleep(500)
        }
      }
      loop.run(for: .milliseconds(5))
      loop.close()
      thread.join()
    }
    stop.withLock { unsafe isOver = true }
    XCTAssertTrue(ends, "close() goes on as long as another thread passes calls on")
  }

  func test_eachAcceptedRemoteCallIsMadeOnceHoweverTheLoopEnds() throws {
    for round in 0..<300 {
      let made = NSLock()
      nonisolated(unsafe) var count = 0
      nonisolated(unsafe) var accepted = 0
      var loop: EventLoop? = try EventLoop()
      let remote = loop!.remote
      let threads = try (0..<4).map { _ in
        try OtherThread.start {
          var mine = 0
          while mine < 3000, remote.execute({ _ in made.withLock { unsafe count += 1 } }) {
            mine += 1
          }
          made.withLock { unsafe accepted += mine }
        }
      }
      loop!.run(for: .microseconds(300))
      switch round % 3 {
      case 0: loop!.close()
      case 1: loop!.shutDown(within: .milliseconds(1))
      default: break
      }
      loop = nil
      for thread in threads { thread.join() }
      made.withLock { unsafe XCTAssertEqual(count, accepted) }
    }
  }

  func test_everyLimitOfDescriptorsLeavesNothingBehind() throws {
    let before = try descriptorNumbers()
    var limit = rlimit()
    unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    // No gaps below the limit, so that each round leaves exactly as many as it says.
    let top = Int(try XCTUnwrap(before.max())) + 1
    var fillers: [FileDescriptor] = []
    while fillers.last.map({ Int($0.rawValue) < top }) ?? true {
      fillers.append(unsafe try FileDescriptor.open("/dev/null", .readOnly))
    }
    var refusals = 0
    for free in 0..<16 {
      var small = limit
      small.rlim_cur = rlim_t(top + 1 + free)
      unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &small)
      do {
        let loop = try EventLoop()
        loop.nextTurn {}
        loop.close()
      } catch {
        refusals += 1
        XCTAssertEqual(error, .tooManyOpenFiles)
      }
      unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }
    XCTAssertGreaterThanOrEqual(refusals, 4)
    XCTAssertLessThan(refusals, 16)
    for filler in fillers { try filler.close() }
    XCTAssertEqual(try descriptorNumbers(), before)
  }

  func test_hugeTimesNeverPassAndEndAtOnce() throws {
    var configuration = EventLoop.Configuration()
    configuration.cancellationGracePeriod = .seconds(Int64.max)
    for huge in [Duration.seconds(Int64.max), Duration.seconds(Int64.max) * 15] {
      let loop = try EventLoop(configuration: configuration)
      let timer = loop.schedule(every: huge) { XCTFail() }
      loop.schedule(after: huge) { XCTFail() }
      loop.run(for: .milliseconds(20))
      XCTAssertTrue(timer.isScheduled)
      loop.nextTurn {}
      XCTAssertTrue(loop.shutDown(within: huge))
    }
  }

  func test_copiedAndMovedPiecesKeepTheirOrderThroughASmallSocketBuffer() throws {
    let loop = try EventLoop()
    var ends: [Int32] = [0, 0]
    unsafe XCTAssertEqual(socketpair(AF_UNIX, 1, 0, &ends), 0)
    var size: Int32 = 2048
    unsafe setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &size, socklen_t(MemoryLayout<Int32>.size))
    let connection = try Connection(adopting: FileDescriptor(rawValue: ends[0]), on: loop)
    var expected: [UInt8] = []
    var next: UInt8 = 0
    func bytes(_ count: Int) -> [UInt8] {
      (0..<count).map { _ in
        next = next &* 31 &+ 7 &+ UInt8(truncatingIfNeeded: expected.count)
        return next
      }
    }
    var random = SystemRandomNumberGenerator()
    for _ in 0..<800 {
      let count = [1, 3, 100, 1023, 1024, 1025, 4095, 4096, 5000, 70_000].randomElement(
        using: &random)!
      let piece = bytes(count)
      expected += piece
      if Bool.random() {
        try connection.write(piece)
      } else {
        try connection.write(IOBuffer(copying: piece))
      }
    }
    let peer = ends[1]
    nonisolated(unsafe) var got: [UInt8] = []
    let reader = try OtherThread.start {
      var chunk = [UInt8](repeating: 0, count: 3333)
      while true {
        let count = unsafe read(peer, &chunk, chunk.count)
        if count <= 0 { break }
        unsafe got += chunk[..<count]
      }
    }
    var isClosed = false
    connection.onClose = { _, _ in isClosed = true }
    connection.close()
    loop.run(until: { connection.pendingByteCount == 0 }, timeout: testDeadline)
    reader.join()
    Glibc.close(peer)
    loop.run(until: { isClosed }, timeout: testDeadline)
    unsafe XCTAssertTrue(got == expected)
    loop.close()
  }

  func test_aLoopThatAFileGaveInTheLastCallbackKeepsTheLoop() throws {
    // A handle that came from a file, kept while the last own handle goes inside a callback.
    let folder = try TemporaryDirectory()
    let path = folder.path.appending("f")
    let base = try unsafe XCTUnwrap(event_base_new())
    var loop: EventLoop? = try unsafe EventLoop(borrowing: base)
    var kept: EventLoop?
    var late = 0
    File.open(path, .readWrite, options: .create, on: try XCTUnwrap(loop)) { result in
      guard case .success(let file) = result else { return XCTFail("\(result)") }
      loop = nil
      kept = file.loop
      kept?.schedule(after: .milliseconds(5)) {
        late += 1; kept = nil
      }
    }
    unsafe event_base_dispatch(base)
    XCTAssertEqual(late, 1, "the loop ended although it is still referenced")
    unsafe event_base_free(base)
  }

  func test_oneOffloadedCallAtATimeIsEnoughForFilesAndReplacements() throws {
    var configuration = EventLoop.Configuration()
    configuration.offloadLimit = 1
    let loop = try EventLoop(configuration: configuration)
    let folder = try TemporaryDirectory()
    var outcome: Result<Void, FileError>?
    File.replace(
      folder.path.appending("a"), with: IOBuffer(copying: [1, 2, 3] as [UInt8]), on: loop
    ) {
      outcome = $0
    }
    loop.run(until: { outcome != nil }, timeout: testDeadline)
    XCTAssertNoThrow(try outcome?.get())
    loop.close()
  }

  func test_temporaryFilesMayBeDroppedAtAnyMoment() throws {
    let before = try descriptorNumbers()
    let folder = try TemporaryDirectory()
    for round in 0..<60 {
      var published = 0
      let loop = try EventLoop()
      Directory.open(folder.path, on: loop) { result in
        guard case .success(let directory) = result else { return }
        for _ in 0..<3 {
          directory.temporaryFile(permissions: .ownerReadWrite, isNamed: round % 2 == 0) { result in
            guard case .success(let made) = result else { return }
            if round % 3 == 0 { return }
            made.publish(as: "x") { _ in
              published += 1
              if round % 5 == 0 { made.discard() }
            }
          }
        }
      }
      for _ in 0..<(round % 9) { loop.run(for: .microseconds(150)) }
      if round % 4 == 0 { loop.close() }
    }
    let end = ContinuousClock.now + testDeadline
    while try descriptorNumbers() != before, .now < end { sched_yield() }
    XCTAssertEqual(try descriptorNumbers(), before)
    let left = try FileManager.default.contentsOfDirectory(atPath: folder.path.string)
    XCTAssertEqual(left.filter { $0.hasPrefix(".tmp-") }, [])
  }

  func test_whatCannotBeStartedWhileTheLoopEndsSaysSo() throws {
    let loop = try EventLoop()
    var ends: [Int32] = [0, 0]
    unsafe XCTAssertEqual(pipe(&ends), 0)
    var watch: DescriptorWatch?
    var timer: EventLoop.Timer?
    loop.nextTurn {
      watch = try? loop.watch(FileDescriptor(rawValue: ends[0]), for: .readable) { _ in }
      timer = loop.schedule(after: .zero) {}
      XCTAssertNotEqual(watch?.isActive, true, "it will never be called")
      XCTAssertNotEqual(timer?.isScheduled, true, "it will never fire")
    }
    loop.close()
    Glibc.close(ends[0])
    Glibc.close(ends[1])
  }

  func test_aListenerMayDoEverythingInItsHandlersWithoutDescriptors() throws {
    let loop = try EventLoop()
    var configuration = Listener.Configuration()
    configuration.retryDelay = .milliseconds(5)
    let listener = try Listener(on: loop, .loopback(port: 0), configuration: configuration)
    let clients = try (0..<6).map { _ in try Client(port: XCTUnwrap(listener.address.port)) }
    var errors = 0
    var accepted = 0
    var limit = rlimit()
    unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    var small = limit
    small.rlim_cur = rlim_t(try XCTUnwrap(descriptorNumbers().max()) + 1)
    unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &small)
    var holes: [FileDescriptor] = []
    while let hole = unsafe try? FileDescriptor.open("/dev/null", .readOnly) { holes.append(hole) }
    listener.onError = { _ in
      errors += 1
      listener.pause()
      listener.resume()
      if errors == 3 { unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) }
    }
    listener.onConnection = { connection in
      accepted += 1
      listener.pause()
      listener.resume()
      connection.abort()
      if accepted == 5 { listener.close() }
    }
    XCTAssertTrue(loop.run(until: { accepted == 5 }, timeout: testDeadline))
    unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    for hole in holes { try hole.close() }
    loop.run(for: .milliseconds(50))
    XCTAssertEqual(accepted, 5)
    XCTAssertGreaterThanOrEqual(errors, 3)
    XCTAssertEqual(listener.connectionCount, 0)
    loop.close()
    withExtendedLifetime(clients) {}
  }
}
