import CLibevent
import Glibc
import PosixAIO
import Reactor
import Synchronization
import SystemPackage
import TestSupport
import XCTest

/// A loop in a borrowed base, which C's `event_base_dispatch` runs.
final class BorrowedBaseTests: XCTestCase {
  /// An event base as a C program has one, with a deadline that is not counted as an event of it.
  @safe
  private final class ForeignBase {
    let pointer: OpaquePointer

    init() throws {
      unsafe pointer = try XCTUnwrap(event_base_new())
    }

    deinit { unsafe event_base_free(pointer) }

    var addedCount: Int32 {
      unsafe event_base_get_num_events(pointer, UInt32(EVENT_BASE_COUNT_ADDED))
    }

    /// Runs as C code does, until nothing is added any more, under `alarm(2)`.
    @discardableResult
    func dispatch() -> Int32 {
      alarm(UInt32(testDeadline.components.seconds))
      defer { alarm(0) }
      return unsafe event_base_dispatch(pointer)
    }

    func loop() throws -> EventLoop { try unsafe EventLoop(borrowing: pointer) }
  }

  private let nothingAdded: Int32 = 1

  func test_baseIsAsItWas_whenTheLoopIsGone() throws {
    let base = try ForeignBase()
    let descriptors = try openDescriptors()
    var loop: EventLoop? = try base.loop()
    loop?.schedule(every: .seconds(1)) {}
    loop?.watch(.user1) {}
    XCTAssertGreaterThan(base.addedCount, 0)
    loop = nil
    XCTAssertEqual(base.addedCount, 0)
    XCTAssertEqual(try openDescriptors().count, descriptors.count)
    XCTAssertEqual(base.dispatch(), nothingAdded)
  }

  func test_loopEndsOnTheThreadOfItsBase_whenItIsDroppedOnAnother() throws {
    let base = try ForeignBase()
    let thread = pthread_self()
    var endedHere: Bool?
    let kept = Mutex<EventLoop?>(nil)
    do {
      let loop = try base.loop()
      loop.schedule(every: .seconds(1)) {}
      let listener = try Listener(on: loop, .loopback(port: 0))
      Connection.connect(to: listener.address, on: loop) { result in
        guard case .success(let connection) = result else { return XCTFail("\(result)") }
        connection.onClose = { _, reason in
          XCTAssertEqual(reason, .local)
          endedHere = pthread_equal(thread, pthread_self()) != 0
        }
        expectNoThrow { try OtherThread.run { kept.withLock { $0 = nil } } }
        XCTAssertNil(endedHere)
      }
      kept.withLock { $0 = loop }
    }
    XCTAssertEqual(base.dispatch(), nothingAdded)
    XCTAssertEqual(endedHere, true)
    XCTAssertEqual(base.addedCount, 0)
  }

  func test_loopMayGoInACallbackOfItsOwn_andTheBaseIsAsItWas() throws {
    let (base, folder) = (try ForeignBase(), try TemporaryDirectory())
    try folder.write([1, 2, 3], to: "file")
    let path = folder.path.appending("file")
    /// Each has a callback let go of the last reference.
    let ways: [(EventLoop, @escaping () -> Void) throws -> Void] = [
      { loop, letGo in loop.schedule(after: .zero, letGo) },
      { loop, letGo in
        nonisolated(unsafe) let letGo = letGo
        loop.remote.execute { _ in unsafe letGo() }
      },
      { loop, letGo in loop.offload({}) { _ in letGo() } },
      { loop, letGo in File.contents(of: path, on: loop) { _ in letGo() } },
      { loop, letGo in
        let file = AIOFile(try .open(path, .readOnly), queue: loop.queue)
        try file.read(into: IOBuffer(capacity: 3), at: 0) { _, _ in letGo() }
      },
      { loop, letGo in
        let file = AIOFile(try .open(path, .readWrite), queue: loop.queue)
        try file.write(IOBuffer(copying: [4]), at: 0) { _, _ in letGo() }
      },
      { loop, letGo in loop.startTask { letGo() } },
      { loop, letGo in
        let listener = try Listener(on: loop, .loopback(port: 0))
        listener.onConnection = { _ in letGo() }
        Connection.connect(to: listener.address, on: loop) { _ in }
      },
      { loop, letGo in
        let listener = try Listener(on: loop, .loopback(port: 0))
        listener.onConnection = { connection in
          connection.onReceive = { _, bytes in
            letGo()
            return bytes.byteCount
          }
        }
        Connection.connect(to: listener.address, on: loop) { result in
          expectNoThrow { try result.get().write("a line".utf8) }
        }
      },
    ]
    for (number, way) in ways.enumerated() {
      var loop: EventLoop? = try base.loop()
      weak let weakLoop = loop
      // Keeps the base running until the loop has gone.
      loop?.schedule(every: .milliseconds(1)) {}
      if let held = loop { try way(held) { loop = nil } }
      XCTAssertEqual(base.dispatch(), nothingAdded)
      XCTAssertNil(weakLoop, "way \(number)")
      XCTAssertEqual(base.addedCount, 0, "way \(number)")
    }
  }

  func test_dispatchReturnsAtOnce_whenTheLoopHasNothingToDo() throws {
    let base = try ForeignBase()
    let loop = try base.loop()
    XCTAssertEqual(base.addedCount, 0)
    XCTAssertEqual(base.dispatch(), nothingAdded)
    withExtendedLifetime(loop) {}
  }

  func test_dispatchRunsUntilEverythingUnderWayIsDone() throws {
    let (base, folder) = (try ForeignBase(), try TemporaryDirectory())
    let loop = try base.loop()
    var done: [String] = []
    File.open(folder.path.appending("file"), .readWrite, options: .create, on: loop) { result in
      do {
        let file = try result.get()
        file.write(IOBuffer(copying: [1, 2, 3]), at: 0) { _, _ in done.append("write") }
        file.sync { _ in
          done.append("sync")
          file.close { _ in
            loop.schedule(after: .milliseconds(1)) { done.append("timer") }
          }
        }
      } catch {
        XCTFail("\(error)")
      }
    }
    XCTAssertEqual(base.dispatch(), nothingAdded)
    XCTAssertEqual(done, ["write", "sync", "timer"])
    XCTAssertEqual(try folder.contents(of: "file"), [1, 2, 3])
    XCTAssertEqual(base.addedCount, 0)
  }

  func test_dispatchRunsUntilAFileIsClosed_thatWaitsForAnAbandonedRead() throws {
    let base = try ForeignBase()
    let loop = try base.loop()
    var ends: [Int32] = [-1, -1]
    XCTAssertEqual(unsafe pipe(&ends), 0)
    let writer = FileDescriptor(rawValue: ends[1])
    let file = AIOFile(FileDescriptor(rawValue: ends[0]), queue: loop.queue)
    var done: [String] = []
    try file.read(into: IOBuffer(capacity: 1), at: 0, timeout: .milliseconds(1)) { result, _ in
      done.append("read")
    }
    XCTAssertEqual(base.dispatch(), nothingAdded)
    XCTAssertEqual(done, ["read"])
    file.close { _ in done.append("close") }
    loop.schedule(after: .milliseconds(1)) {
      do { try writer.closeAfter { _ = try writer.writeAll([1]) } } catch { XCTFail("\(error)") }
    }
    XCTAssertEqual(base.dispatch(), nothingAdded)
    XCTAssertEqual(done, ["read", "close"])
  }

  func test_callsOfOtherThreadsArrive_whileForeignEventsKeepTheBaseRunning() throws {
    let base = try ForeignBase()
    let loop = try base.loop()
    // The foreign event: a timer of the C program's, far away.
    let event = unsafe event_new(base.pointer, -1, 0, { _, _, _ in }, nil)
    var time = timeval(tv_sec: 1000, tv_usec: 0)
    unsafe event_add(event, &time)
    defer { unsafe event_free(event) }
    let calls = Mutex(0)
    let (thread, remote) = (pthread_self(), loop.remote)
    nonisolated(unsafe) let pointer = unsafe base.pointer
    // The sender's thread is none of the loop's helpers, which would keep the base running.
    try OtherThread.run {
      for _ in 0..<100 { remote.execute { _ in calls.withLock { $0 += 1 } } }
      remote.execute { _ in
        XCTAssertNotEqual(pthread_equal(thread, pthread_self()), 0)
        unsafe event_base_loopbreak(pointer)
      }
    }
    base.dispatch()
    XCTAssertEqual(calls.withLock { $0 }, 100)
  }

  func test_stopEndsOurRun_andNotTheForeignOne() throws {
    let base = try ForeignBase()
    let loop = try base.loop()
    var fired: [Int] = []
    loop.schedule(after: .zero) {
      fired.append(1)
      loop.stop()
    }
    loop.schedule(after: .milliseconds(20)) { fired.append(2) }
    XCTAssertEqual(base.dispatch(), nothingAdded)
    XCTAssertEqual(fired, [1, 2])
    // The stop is for the next run of ours.
    loop.schedule(after: .zero) { fired.append(3) }
    loop.run()
    XCTAssertEqual(fired, [1, 2])
    loop.run(until: { fired.count == 3 }, timeout: testDeadline)
    XCTAssertEqual(fired, [1, 2, 3])
  }

  func test_baseOfAnotherThreadIsServedThere_onceTheLoopHasMoved() throws {
    let base = try ForeignBase()
    let loop = try base.loop()
    var isHere = false
    try OtherThread.run {
      loop.moveToCurrentThread()
      let thread = pthread_self()
      loop.offload {
      } _: { _ in
        isHere = pthread_equal(thread, pthread_self()) != 0
      }
      base.dispatch()
    }
    loop.moveToCurrentThread()
    XCTAssertTrue(isHere)
  }
}
