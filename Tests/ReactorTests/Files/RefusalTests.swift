import CFaults
import PosixAIO
import Reactor
import SystemPackage
import TestSupport
import XCTest

/// What becomes of calls that a loop does not accept.
final class RefusalTests: XCTestCase {
  /// What a handler got.
  private struct Told: Equatable {
    let errno: Errno?
    let bytes: [UInt8]

    init(_ result: Result<Int, FileError>, _ buffer: borrowing IOBuffer) {
      errno = result.errno
      bytes = Array(buffer)
    }

    init(_ errno: Errno, _ bytes: [UInt8]) {
      (self.errno, self.bytes) = (errno, bytes)
    }
  }

  func test_buffersComeBackInTheNextTurn_whenTransfersAreRefused() throws {
    var configuration = EventLoop.Configuration()
    configuration.queue.heldByteLimit = 100
    let (folder, loop) = (try TemporaryDirectory(), try EventLoop(configuration: configuration))
    let (file, closed) = (
      try loop.open(folder.path.appending("file")), try loop.open(folder.path.appending("closed"))
    )
    try loop.close(closed)
    var told: [Told] = []
    let calls: [(File, Int64, Int, Errno)] = [
      (closed, 0, 1, .badFileDescriptor), (file, -1, 2, .invalidArgument),
      (file, 0, 90, .resourceTemporarilyUnavailable),
    ]
    // Holds room until the turn is over.
    file.write(IOBuffer(copying: [UInt8](repeating: 1, count: 50)), at: 0) { _, _ in }
    for (file, offset, byteCount, _) in calls {
      let bytes = [UInt8](repeating: 7, count: byteCount)
      file.write(IOBuffer(copying: bytes), at: offset) { told.append(Told($0, $1)) }
      file.read(into: IOBuffer(copying: bytes), at: offset) { told.append(Told($0, $1)) }
    }
    XCTAssertEqual(told, [], "called from inside the call")
    loop.wait { told.count == 2 * calls.count }
    XCTAssertEqual(
      told,
      calls.flatMap { call in
        [Told](repeating: Told(call.3, [UInt8](repeating: 7, count: call.2)), count: 2)
      })
    try loop.close(file)
  }

  func test_refusedTransfersLeaveNothingBehind_whenTasksAwaitThem() throws {
    let (folder, loop) = (try TemporaryDirectory(), try EventLoop())
    let file = try loop.open(folder.path.appending("file"))
    try loop.close(file)
    let growth = loop.run { _ in
      let before = cfaults_heap_byte_count()
      for _ in 0..<2000 {
        _ = try? await file.read(into: IOBuffer(capacity: 1), at: 0)
        try? await file.sync()
      }
      return cfaults_heap_byte_count() - before
    }
    XCTAssertLessThan(growth, 100_000)
  }

  func test_readIsRefusedInTheNextTurn_whenTheBufferHasNoCapacity() throws {
    let (folder, loop) = (try TemporaryDirectory(), try EventLoop())
    let file = try loop.open(folder.path.appending("file"))
    var told: [Told] = []
    file.read(into: IOBuffer(capacity: 0), at: 0) { told.append(Told($0, $1)) }
    file.read(into: IOBuffer(capacity: 0), byteCount: 5, at: 0) { told.append(Told($0, $1)) }
    XCTAssertEqual(told, [], "called from inside the call")
    loop.wait { told.count == 2 }
    XCTAssertEqual(told, [Told(.noBufferSpace, []), Told(.noBufferSpace, [])])
    try loop.close(file)
  }

  func test_buffersComeBackAtOnce_whenTheLoopHasEnded() throws {
    let (folder, loop) = (try TemporaryDirectory(), try EventLoop())
    let file = try loop.open(folder.path.appending("file"))
    let writer = FileWriter(try loop.open(folder.path.appending("other")))
    let reader = FileReader(file)
    loop.close()
    var told: [Told] = []
    file.write(IOBuffer(copying: [1]), at: 0) { told.append(Told($0, $1)) }
    file.read(into: IOBuffer(copying: [2]), at: 0) { told.append(Told($0, $1)) }
    XCTAssertEqual(told, [Told(.canceled, [1]), Told(.canceled, [2])])
    var errnos: [Errno?] = []
    let note: CompletionQueue.SyncHandler = { errnos.append($0.errno) }
    file.sync(note)
    file.truncate(to: 0, note)
    file.lock(.shared, note)
    File.remove(folder.path.appending("file"), on: loop, note)
    writer.flush(note)
    writer.waitForRoom(1, note)
    reader.next { result in
      if case .failure(let error) = consume result { errnos.append(error.errno) }
    }
    loop.offload({}) { result in
      if case .failure(let errno) = result { errnos.append(errno) }
    }
    XCTAssertEqual(errnos, [Errno?](repeating: .canceled, count: 8))
    XCTAssertFalse(loop.nextTurn { XCTFail("there is none") })
    XCTAssertFalse(loop.schedule(after: .zero) { XCTFail("there is no turn") }.isScheduled)
    file.close(note)
    XCTAssertEqual(errnos.last, .some(nil), "what gives something back does so")
  }

  func test_handlersAreCalledOnce_whenTheLoopGoesBeforeTheNextTurn() throws {
    let folder = try TemporaryDirectory()
    var told: [Told] = []
    var syncs = 0
    do {
      let loop = try EventLoop()
      let file = try loop.open(folder.path.appending("file"))
      file.write(IOBuffer(copying: [1, 2]), at: -1) { told.append(Told($0, $1)) }
      file.close()
      file.sync { _ in syncs += 1 }
    }
    XCTAssertEqual(told, [Told(.invalidArgument, [1, 2])])
    XCTAssertEqual(syncs, 1)
  }

  func test_aSyncFails_whileARefusedWriteHasNotBeenTold() throws {
    let (folder, loop) = (try TemporaryDirectory(), try EventLoop())
    let file = try loop.open(folder.path.appending("file"))
    var events: [String] = []
    file.write(IOBuffer(copying: [1]), at: -1) { _, _ in events.append("write") }
    let error = try loop.error { file.dataSync($0) }
    events.append("sync")
    XCTAssertEqual(error.errno, .invalidArgument)
    XCTAssertEqual(events, ["write", "sync"])
    // It was told, so whoever syncs knows.
    try loop.value { file.sync($0) }
  }

  func test_cancelingARefusedRequestDoesNothing() throws {
    let (folder, loop) = (try TemporaryDirectory(), try EventLoop())
    let file = try loop.open(folder.path.appending("file"))
    var count = 0
    // It has the first slot, which a refused request must not name.
    let accepted = file.write(IOBuffer(copying: [1]), at: 0) { result, _ in
      XCTAssertEqual(result, .success(1))
      count += 1
    }
    let refused = file.write(IOBuffer(copying: [1]), at: -1) { _, _ in count += 1 }
    XCTAssertNotEqual(accepted, refused)
    XCTAssertEqual(loop.queue.cancel(refused, abandoning: true), .allDone)
    loop.wait { count == 2 }
  }
}
