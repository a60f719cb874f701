import Foundation
import Glibc
import PosixAIO
import Reactor
import SystemPackage
import TestSupport
import XCTest

final class FileWriterTests: FileWriterTestCase {
  // MARK: A full queue

  func test_writerGoesOn_whenTheQueueHasRoomAgain() throws {
    let folder = try TemporaryDirectory()
    let path = folder.path.appending("pipe")
    XCTAssertEqual(unsafe mkfifo(path.string, 0o600), 0)
    var limits = EventLoop.Configuration()
    limits.queue.inFlightLimit = 1
    limits.queue.waitingLimit = 1
    let loop = try EventLoop(configuration: limits)
    let writer = FileWriter(
      try loop.open(folder.path.appending("file"), options: .create),
      configuration: configuration(10, 100))
    let end = try FileDescriptor.open(path, .readWrite)
    let pipe = try loop.open(path)
    var readCount = 0
    for _ in 0..<2 {
      pipe.read(into: IOBuffer(capacity: 1), at: 0) { _, _ in readCount += 1 }
      loop.runOnce()
    }
    XCTAssertFalse(loop.queue.hasRoom())
    try writer.write([1, 2, 3])
    loop.schedule(after: .zero) {
      XCTAssertEqual(writer.byteCountWritten, 0)
      expectNoThrow { try end.writeAll([0, 0]) }
    }
    try loop.value { writer.flush($0) }
    XCTAssertEqual(try folder.contents(of: "file"), [1, 2, 3])
    loop.run(until: { readCount == 2 })
    try end.close()
  }

  // MARK: Order and memory

  func test_oddSizedWritesStandInOrder_andMemoryIsBounded() throws {
    for options: FileDescriptor.OpenOptions in [.create, [.create, .append]] {
      let seed = testSeed()
      let (loop, folder, writer) = try make(options: options)
      var flushes = 0
      var generator = SeededGenerator(seed: seed)
      var expected: [UInt8] = []
      func writeMore(_ rest: Int) {
        for number in stride(from: rest, to: 0, by: -1) {
          let byteCount = Int.random(
            in: 0...(generator.oneIn(20) ? 4999 : 200), using: &generator)
          guard writer.hasRoom(for: byteCount) else {
            // Nothing of it is accepted, whoever asks.
            let accepted = writer.byteCountAccepted
            XCTAssertEqual(
              self.refusal { try writer.write([UInt8](repeating: 0, count: byteCount)) },
              .resourceTemporarilyUnavailable)
            XCTAssertEqual(writer.byteCountAccepted, accepted)
            return writer.waitForRoom(byteCount) { result in
              if case .failure(let error) = result { XCTFail("\(error), seed \(seed)") }
              writeMore(number)
            }
          }
          let bytes = Pattern.block(number, byteCount: byteCount)
          XCTAssertNil(
            self.refusal {
              if generator.oneIn(2) {
                try writer.write(bytes)
              } else {
                try writer.write(IOBuffer(copying: bytes))
              }
            })
          expected += bytes
          XCTAssertLessThanOrEqual(writer.bufferedByteCount, 5000)
          if generator.oneIn(50) {
            let goal = writer.byteCountAccepted
            writer.flush(durably: generator.oneIn(4)) { _ in
              flushes += 1
              XCTAssertGreaterThanOrEqual(writer.byteCountWritten, goal)
            }
          }
        }
        writer.close { result in
          if case .failure(let error) = result { XCTFail("\(error), seed \(seed)") }
          loop.stop()
        }
      }
      writeMore(5000)
      loop.runUntilStopped()
      XCTAssertTrue(try folder.contents(of: "file") == expected, "seed \(seed)")
      XCTAssertEqual(writer.byteCountWritten, Int64(expected.count))
      XCTAssertGreaterThan(flushes, 0)
      // Collected: far fewer operations than writes.
      XCTAssertLessThan(loop.queue.statistics.completedCount, 4000)
    }
  }

  func test_flushMeansThatItIsInTheFile() throws {
    let (loop, folder, writer) = try make()
    var expected: [UInt8] = []
    for number in 0..<20 {
      let bytes = Pattern.block(number, byteCount: number * 10)
      try writer.write(bytes)
      expected += bytes
      try loop.value { writer.flush(durably: number % 2 == 0, $0) }
      XCTAssertEqual(try folder.contents(of: "file"), expected)
      XCTAssertEqual(writer.bufferedByteCount, 0)
    }
  }

  func test_writeLargerThanTheBufferIsAccepted_whenThatIsEmpty() throws {
    let (loop, folder, writer) = try make()
    let bytes = Pattern.block(1, byteCount: 20_000)
    try writer.write(bytes)
    XCTAssertEqual(refusal { try writer.write([1]) }, .resourceTemporarilyUnavailable)
    try loop.value { writer.close($0) }
    XCTAssertTrue(try folder.contents(of: "file") == bytes)
  }

  func test_spansAndPlacesAreWritten() throws {
    let (folder, loop) = (try TemporaryDirectory(), try EventLoop())
    let file = try loop.open(folder.path.appending("file"))
    let writer = FileWriter(file, at: 3)
    let bytes: [UInt8] = [1, 2, 3]
    try unsafe writer.write(bytes.span.bytes)
    try writer.write(Set<UInt8>([4]))
    try loop.value { writer.flush($0) }
    XCTAssertEqual(try folder.contents(of: "file"), [0, 0, 0, 1, 2, 3, 4])
  }

  func test_droppedWriterWritesWhatItHas() throws {
    let before = try openDescriptors()
    let (folder, loop) = (try TemporaryDirectory(), try EventLoop())
    weak var dropped: FileWriter?
    do {
      let writer = FileWriter(try loop.open(folder.path.appending("file")))
      dropped = writer
      try writer.write([1, 2, 3])
    }
    loop.wait { dropped == nil }
    XCTAssertEqual(try folder.contents(of: "file"), [1, 2, 3])
    withExtendedLifetime(loop) {}
    XCTAssertNotEqual(try openDescriptors(), before)
  }

  // MARK: Failure

  func test_fullDiskStopsEverything_andTheCountIsWhatIsInTheFile() throws {
    let (disk, loop) = (try SmallDisk(pageCount: 8), try EventLoop())
    let path = disk.path.appending("file")
    let writer = FileWriter(
      try loop.open(path), configuration: configuration(10_000, 100_000))
    let bytes = Pattern.block(1, byteCount: 60_000)
    let error = FileError(
      operation: .write, path: path, offset: 30_000, byteCountDone: 2768, errno: .noSpace)
    var outcomes: [Result<Void, FileError>] = []
    var failures: [FileError] = []
    writer.onFailure = { failures.append($0) }
    // What fits: its flush is told the truth, although a later one fails.
    try writer.write(bytes.prefix(20_000))
    writer.flush { outcomes.append($0) }
    try writer.write(bytes.dropFirst(20_000))
    writer.flush { outcomes.append($0) }
    writer.flush(durably: true) { outcomes.append($0) }
    writer.waitForRoom(90_000) { outcomes.append($0) }
    XCTAssertEqual(try loop.error { writer.flush($0) }, error)
    XCTAssertEqual(outcomes.map { (try? $0.get()) == nil }, [false, true, true, true])
    XCTAssertEqual(failures, [error])
    XCTAssertNil(writer.onFailure, "its captures are released")
    XCTAssertEqual(writer.failure, error)
    XCTAssertEqual(writer.byteCountWritten, 32_768)
    XCTAssertEqual(writer.byteCountAccepted, 60_000)
    XCTAssertTrue(try disk.contents(of: "file") == Array(bytes.prefix(32_768)))
    // It stays so.
    XCTAssertEqual(refusal { try writer.write([1]) }, .noSpace)
    XCTAssertEqual(try loop.error { writer.flush(durably: true, $0) }, error)
    XCTAssertEqual(try loop.error { writer.waitForRoom(1, $0) }, error)
    XCTAssertEqual(
      try loop.error { writer.reopen(disk.path.appending("other"), $0) }, error)
    XCTAssertEqual(try loop.error { writer.close($0) }, error)
    XCTAssertEqual(refusal { try writer.write([1]) }, .badFileDescriptor)
    XCTAssertEqual(writer.failure, error)
  }

  func test_fileSizeLimitInTheMiddleOfCollectedWrites() throws {
    for limit in [1, 999, 1000, 1001, 3500] {
      let (loop, folder, writer) = try make()
      let bytes = Pattern.block(limit, byteCount: 4900)
      let error = try ignoringFileSizeSignal {
        try ResourceLimit.fileSize.lowered(to: UInt(limit)) {
          for start in stride(from: 0, to: 4900, by: 49) {
            try writer.write(bytes[start..<start + 49])
          }
          return try loop.error { writer.flush($0) }
        }
      }
      XCTAssertEqual(error.errno, .fileTooLarge)
      XCTAssertEqual(writer.byteCountWritten, Int64(limit))
      XCTAssertEqual(try folder.contents(of: "file"), Array(bytes.prefix(limit)))
    }
  }

  func test_closedWriterRefuses_andThoseWhoWaitedAreTold() throws {
    let (loop, folder, writer) = try make()
    try writer.write([UInt8](repeating: 1, count: 5000))
    var waited: Result<Void, FileError>?
    writer.waitForRoom(100) { waited = $0 }
    try loop.value { done in
      writer.close(durably: true, done)
      XCTAssertEqual(self.refusal { try writer.write([2]) }, .badFileDescriptor)
    }
    let path = folder.path.appending("file")
    let error = FileError(operation: .write, path: path, errno: .badFileDescriptor)
    // Everything is in the file, but nothing can ensure any more that it stays there.
    try loop.value { writer.flush($0) }
    XCTAssertEqual(
      try loop.error { writer.flush(durably: true, $0) },
      FileError(operation: .dataSync, path: path, errno: .badFileDescriptor))
    guard case .failure(error) = waited else { return XCTFail("\(String(describing: waited))") }
    XCTAssertEqual(try folder.contents(of: "file").count, 5000)
  }
}
