import CFaults
import Glibc
import PosixAIO
import Reactor
import Synchronization
import SystemPackage
import TestSupport
import XCTest

/// How loops end, how many there may be, and what children of the process get.
final class LifetimeTests: XCTestCase {
  // MARK: The end

  func test_closeFinishesFilesAndCalls_firesNoTimer_andGivesEverythingBack() throws {
    let folder = try TemporaryDirectory()
    let before = try openDescriptors().count
    var done: [String] = []
    let loop = try EventLoop()
    // Each captures the loop: closing breaks the circle.
    loop.schedule(every: .milliseconds(1)) { loop.stop() }
    loop.watch(.user1) { loop.stop() }
    File.open(folder.path.appending("file"), .readWrite, options: .create, on: loop) { result in
      done.append("open")
      guard case .success(let file) = result else { return XCTFail("\(result)") }
      file.write(IOBuffer(copying: [1, 2]), at: 0) { _, _ in done.append("write") }
      file.sync { _ in done.append("sync") }
      file.close { _ in
        done.append("close")
        loop.schedule(after: .zero) { XCTFail("a closed loop has no timers") }
      }
    }
    loop.offload {
    } _: { _ in
      done.append("offload")
    }
    loop.close()
    XCTAssertEqual(done.sorted(), ["close", "offload", "open", "sync", "write"])
    XCTAssertEqual(done.filter { $0 != "offload" }.last, "close")
    XCTAssertFalse(loop.remote.execute { _ in XCTFail("the loop is closed") })
    // What the queue has goes with the last reference to it.
    XCTAssertEqual(try folder.contents(of: "file"), [1, 2])
    weak var weakLoop: EventLoop?
    do {
      let other = try EventLoop()
      other.schedule(every: .seconds(1)) { other.stop() }
      weakLoop = other
      other.close()
    }
    XCTAssertNil(weakLoop, "closing lets go of what callbacks capture")
    withExtendedLifetime(loop) {}
    XCTAssertLessThanOrEqual(try openDescriptors().count, before + 6, "the queue of `loop`")
  }

  func test_everyRequestCompletesOnce_whenTheLoopGoesWithoutBeingClosed() throws {
    let folder = try TemporaryDirectory()
    let descriptor = try folder.open("file")
    _ = try descriptor.writeAll([UInt8](repeating: 7, count: 100))
    var completions = [Int](repeating: 0, count: 100)
    do {
      let loop = try EventLoop()
      let file = AIOFile(descriptor, queue: loop.queue)
      for number in 0..<100 {
        try file.read(into: IOBuffer(capacity: 1), at: Int64(number)) { _, _ in
          completions[number] += 1
        }
      }
    }
    XCTAssertEqual(completions, [Int](repeating: 1, count: 100))
  }

  func test_offloadedWorkOverTheLimitIsRefused_andFilesReportIt() throws {
    var configuration = EventLoop.Configuration()
    configuration.offloadLimit = 2
    let loop = try EventLoop(configuration: configuration)
    var completions = 0
    for _ in 0..<2 {
      loop.offload {
      } _: { result in
        if case .success = result { completions += 1 }
      }
    }
    var refusal: Errno?
    loop.offload({}) { result in
      if case .failure(let errno) = result { refusal = errno }
    }
    XCTAssertNil(refusal, "it is reported in the next turn")
    var reason: Errno?
    File.open("/etc/services", .readOnly, on: loop) { result in
      if case .failure(let error) = result { reason = error.errno }
    }
    XCTAssertNil(reason)
    loop.run(until: { completions == 2 && reason != nil }, timeout: testDeadline)
    XCTAssertEqual(reason, .resourceTemporarilyUnavailable)
    XCTAssertEqual(refusal, .resourceTemporarilyUnavailable)
  }

  // MARK: Several

  func test_fourLoopsHandEachOtherWork_eachMessageArrivesOnce() throws {
    let (loopCount, messageCount) = (4, 2000)
    let remotes = Mutex<[EventLoop.Remote?]>(Array(repeating: nil, count: loopCount))
    let received = Mutex([Int](repeating: 0, count: loopCount * messageCount))
    let arrivals = Atomic(0)
    let total = loopCount * messageCount
    let threads = try (0..<loopCount).map { index in
      try OtherThread.start {
        do {
          let loop = try EventLoop()
          let thread = pthread_self()
          remotes.withLock { $0[index] = loop.remote }
          // Looks from time to time whether everybody is there.
          let look = loop.schedule(every: .milliseconds(1)) {}
          loop.run(until: { remotes.withLock { $0.allSatisfy { $0 != nil } } })
          look.cancel()
          // The messages of a loop go to all four in turns.
          let all = remotes.withLock { $0.compactMap(\.self) }
          for number in 0..<messageCount {
            all[(index + number) % loopCount].execute { other in
              received.withLock { $0[index * messageCount + number] += 1 }
              if number % loopCount == 0 {
                XCTAssertEqual(pthread_equal(thread, pthread_self()) != 0, true)
              }
              let isLast = arrivals.add(1, ordering: .relaxed).newValue == total
              if isLast { for remote in all { remote.execute { $0.stop() } } }
              withExtendedLifetime(other) {}
            }
          }
          loop.run()
          loop.close()
        } catch {
          XCTFail("\(error)")
        }
      }
    }
    for thread in threads { thread.join() }
    XCTAssertEqual(received.withLock { $0 }, [Int](repeating: 1, count: total))
  }

  // MARK: Children

  func test_forkedChildIsRefused_andTheParentsLoopGoesOn() throws {
    let loop = try EventLoop()
    var ticks = 0
    loop.schedule(every: .milliseconds(1)) { ticks += 1 }
    let remote = loop.remote
    let status = try inForkedChild {
      let isRefused = !remote.execute { _ in }
      let isElsewhere = loop.executor.isIsolatingCurrentContext() == false
      // A loop of the child's own works.
      guard let own = try? EventLoop() else { return 2 }
      own.schedule(after: .zero) { own.stop() }
      own.run()
      return isRefused && isElsewhere ? 0 : 1
    }
    XCTAssertEqual(status, 0)
    XCTAssertTrue(loop.run(until: { ticks >= 3 }, timeout: testDeadline))
  }

  /// What the article Signals shows.
  func test_spawnedChildHasACleanSignalMask() throws {
    let loop = try EventLoop()
    var inherited = posix_spawnattr_t()
    unsafe posix_spawnattr_init(&inherited)
    defer { unsafe posix_spawnattr_destroy(&inherited) }
    XCTAssertNotEqual(try blockedSignals(&inherited), "0000000000000000", "the loop blocks its own")

    var attributes = posix_spawnattr_t()
    unsafe posix_spawnattr_init(&attributes)
    defer { unsafe posix_spawnattr_destroy(&attributes) }
    var none = sigset_t()
    var all = sigset_t()
    unsafe sigemptyset(&none)
    unsafe sigfillset(&all)
    unsafe posix_spawnattr_setsigmask(&attributes, &none)
    unsafe posix_spawnattr_setsigdefault(&attributes, &all)
    let flags = Int16(POSIX_SPAWN_SETSIGMASK) | Int16(POSIX_SPAWN_SETSIGDEF)
    unsafe posix_spawnattr_setflags(&attributes, flags)
    XCTAssertEqual(try blockedSignals(&attributes), "0000000000000000")
    withExtendedLifetime(loop) {}
  }

  /// The signals that a child of `posix_spawn(3)` blocks, as the kernel prints them.
  private func blockedSignals(_ attributes: inout posix_spawnattr_t) throws -> String {
    let folder = try TemporaryDirectory()
    let command = "grep SigBlk /proc/self/status | cut -f 2 > \(folder.path)/mask"
    let words: [String] = ["sh", "-c", command]
    var arguments: [UnsafeMutablePointer<CChar>?] = unsafe words.map { unsafe strdup($0) } + [nil]
    defer { for index in words.indices { unsafe free(arguments[index]) } }
    var id: pid_t = 0
    let error = unsafe posix_spawn(&id, "/bin/sh", nil, &attributes, &arguments, environ)
    guard error == 0 else { throw Errno(rawValue: error) }
    var status: Int32 = 0
    while unsafe waitpid(id, &status, 0) < 0, errno == EINTR {}
    return String(decoding: try folder.contents(of: "mask").dropLast(), as: UTF8.self)
  }

  private final class Child {
    let body: () -> Int32
    init(_ body: @escaping () -> Int32) { self.body = body }
  }

  /// - Returns: The child's wait status.
  private func inForkedChild(_ body: @escaping () -> Int32) throws -> Int32 {
    let child = Child(body)
    let context = unsafe Unmanaged.passUnretained(child).toOpaque()
    let id = unsafe cfaults_fork(
      { context in
        guard let context = unsafe context else { return 99 }
        return unsafe Unmanaged<Child>.fromOpaque(context).takeUnretainedValue().body()
      }, context, UInt32(testDeadline.components.seconds))
    guard id > 0 else { throw Errno(rawValue: errno) }
    var status: Int32 = 0
    while unsafe waitpid(id, &status, 0) < 0, errno == EINTR {}
    withExtendedLifetime(child) {}
    return status
  }
}
