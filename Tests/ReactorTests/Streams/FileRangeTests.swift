import Glibc
import PosixAIO
import SystemPackage
import TestSupport
import XCTest

@testable import Reactor

/// Ranges of files on their way to a connection: every byte in its place.
final class FileRangeTests: FileRangeTestCase {
  private static let bytes = Pattern.block(1, byteCount: 3_000_001)

  func test_rangesArriveWholeAndInOrder_amongOtherBytes_howeverWarmTheFileIs() throws {
    let seed = testSeed()
    var random = SeededGenerator(seed: seed)
    let folder = try TemporaryDirectory()
    let path = folder.path.appending("file")
    try folder.write(Self.bytes, to: "file")
    for warmth in Warmth.allCases {
      for sendsFilesWithoutCopy in [true, false] {
        var configuration = EventLoop.Configuration()
        configuration.sendsFilesWithoutCopy = sendsFilesWithoutCopy
        let loop = try makeLoop(configuration)
        try warm(path, warmth)
        let file = try loop.open(path)
        let socket = try AdoptedSocket(on: loop, sendBufferByteCount: 65_536)
        let outcomes = RangeOutcomes()
        var (expected, counts): ([UInt8], [Int64]) = ([], [])
        for _ in 0..<25 {
          try write(one: &random, file, socket.connection, outcomes, &expected, &counts)
        }
        XCTAssertEqual(socket.connection.pendingByteCount, expected.count)
        assertReceived(expected, from: socket, "seed \(seed), \(warmth)")
        loop.wait { outcomes.results.count == counts.count }
        XCTAssertEqual(outcomes.results, counts.map { .success($0) }, "seed \(seed)")
        XCTAssertEqual(socket.connection.pendingByteCount, 0)
        XCTAssertEqual(socket.connection.sentByteCount, Int64(expected.count))
        let statistics = loop.statistics
        if !sendsFilesWithoutCopy { XCTAssertEqual(statistics.uncopiedFileByteCount, 0) }
        socket.end()
        try loop.close(file)
      }
    }
  }

  /// Writes a range, a small one, a copy, or a buffer.
  private func write(
    one random: inout SeededGenerator, _ file: File, _ connection: Connection,
    _ outcomes: RangeOutcomes, _ expected: inout [UInt8], _ counts: inout [Int64]
  ) throws {
    let bytes = Self.bytes
    let kind = Int.random(in: 0..<4, using: &random)
    let most = [bytes.count, 20_000, 100, 10_000][kind]
    let start = Int.random(in: 0...bytes.count - most, using: &random)
    let range = start..<start + Int.random(in: 0...most, using: &random)
    expected += bytes[range]
    switch kind {
    case 0, 1:
      counts.append(Int64(range.count))
      connection.write(
        file, Int64(range.lowerBound)..<Int64(range.upperBound), outcomes.note)
    case 2: try connection.write(bytes[range])
    default:
      let count = Int64(range.count)
      counts.append(count)
      connection.write(IOBuffer(copying: bytes[range])) { outcome, _ in
        XCTAssertEqual(outcome, .sent)
        outcomes.note(.success(count))
      }
    }
  }

  func test_warmFileIsNotCopied_andSmallRangesAre() throws {
    let (folder, loop) = (try TemporaryDirectory(), try makeLoop())
    try folder.write(Self.bytes, to: "file")
    try warm(folder.path.appending("file"), .warm)
    let file = try loop.open(folder.path.appending("file"))
    let peers = try Peers(on: loop)
    let record = Record(of: peers.client)
    let outcomes = RangeOutcomes()
    let whole = Int64(Self.bytes.count)
    peers.server.write(file, 0..<5000, outcomes.note)
    peers.server.write(file, 0..<whole, outcomes.note)
    loop.wait { record.bytes.count == Int(whole) + 5000 }
    XCTAssertTrue(record.bytes == Self.bytes[..<5000] + Self.bytes)
    XCTAssertEqual(outcomes.results, [.success(5000), .success(whole)])
    XCTAssertEqual(loop.statistics.uncopiedFileByteCount, UInt64(whole))
    XCTAssertEqual(loop.statistics.copiedFileByteCount, 5000)
    peers.abort()
  }

  func test_fileThatWasColdIsCopiedOnce_andThenNotAnyMore() throws {
    let (folder, loop) = (try TemporaryDirectory(), try makeLoop())
    let path = folder.path.appending("file")
    try folder.write(Self.bytes, to: "file")
    try warm(path, .cold)
    let whole = Int64(Self.bytes.count)
    let plain = try folder.open("file")
    defer { close(plain.rawValue) }
    // None in a file system in memory, nor where the kernel does not tell.
    let isCold = FileCalls.live.missingPageCount(of: plain.rawValue, 0..<whole) > 0
    var copied: [UInt64] = []
    for _ in 0..<2 {
      // Opened anew, as for the next client.
      let file = try loop.open(path)
      let socket = try AdoptedSocket(on: loop)
      let outcomes = RangeOutcomes()
      socket.connection.write(file, 0..<whole, outcomes.note)
      assertReceived(Self.bytes, from: socket)
      loop.wait { !outcomes.results.isEmpty }
      copied.append(loop.statistics.copiedFileByteCount)
      socket.end()
      try loop.close(file)
    }
    if isCold { XCTAssertGreaterThan(copied[0], 0) }
    XCTAssertEqual(copied[0], copied[1])
    XCTAssertGreaterThanOrEqual(loop.statistics.uncopiedFileByteCount, UInt64(whole))
  }

  func test_rangesBeyondFourGibibytesAreSent() throws {
    let (folder, loop) = (try TemporaryDirectory(), try makeLoop())
    let path = folder.path.appending("file")
    let start: Int64 = 5 << 30
    let bytes = Array(Self.bytes[..<600_000])
    let plain = try folder.open("file")
    defer { close(plain.rawValue) }
    XCTAssertEqual(
      unsafe pwrite(plain.rawValue, bytes, bytes.count, off_t(start)), bytes.count)
    for warmth in [Warmth.warm, .cold] {
      if warmth == .cold {
        XCTAssertEqual(fsync(plain.rawValue), 0)
        posix_fadvise(plain.rawValue, 0, 0, POSIX_FADV_DONTNEED)
      }
      let file = try loop.open(path)
      let socket = try AdoptedSocket(on: loop)
      let outcomes = RangeOutcomes()
      // The first bytes are in the hole.
      socket.connection.write(file, start - 100_000..<start + 600_000, outcomes.note)
      socket.connection.write(file, start + 10..<start + 20, outcomes.note)
      assertReceived(
        [UInt8](repeating: 0, count: 100_000) + bytes + bytes[10..<20], from: socket)
      loop.wait { outcomes.results.count == 2 }
      XCTAssertEqual(outcomes.results, [.success(700_000), .success(10)])
      socket.end()
      try loop.close(file)
    }
  }

  func test_fileMayBeClosedOrDroppedAtOnce_alsoWhenItIsCold() throws {
    let before = try openDescriptors()
    let folder = try TemporaryDirectory()
    let path = folder.path.appending("file")
    try folder.write(Self.bytes, to: "file")
    do {
      let loop = try makeLoop()
      for warmth in [Warmth.warm, .cold, .everyOtherPart] {
        for isClosed in [true, false] {
          try warm(path, warmth)
          let socket = try AdoptedSocket(on: loop, sendBufferByteCount: 65_536)
          let outcomes = RangeOutcomes()
          var events: [String] = []
          var refusals: [Result<Int64, PumpError>] = []
          do {
            let file = try loop.open(path)
            socket.connection.write(file, 0..<Int64(Self.bytes.count)) {
              outcomes.note($0)
              events.append("sent")
            }
            socket.connection.write(file, 7..<17, outcomes.note)
            if isClosed { file.close { _ in events.append("closed") } }
            if isClosed {
              // Nothing may come in the place of what is missing.
              socket.connection.write(file, 0..<1) { refusals.append($0) }
            }
          }
          assertReceived(Self.bytes + Self.bytes[7..<17], from: socket, "\(warmth)")
          loop.wait { events.count == (isClosed ? 2 : 1) && outcomes.results.count == 2 }
          XCTAssertEqual(events, isClosed ? ["sent", "closed"] : ["sent"])
          loop.wait { refusals.count == (isClosed ? 1 : 0) }
          let error = FileError(
            operation: .read, path: path, offset: 0, errno: .badFileDescriptor)
          if isClosed {
            XCTAssertEqual(refusals, [.failure(PumpError(.file(error), byteCountDone: 0))])
            XCTAssertThrowsError(try socket.connection.write([1]))
          }
          socket.end()
        }
      }
      loop.wait { (try? openDescriptors().count) != nil && loop.queue.unfinishedCount == 0 }
    }
    XCTAssertEqual(try openDescriptors(), before)
  }

  func test_replacedFileIsSentAsItWas() throws {
    let (folder, loop) = (try TemporaryDirectory(), try makeLoop())
    let path = folder.path.appending("file")
    try folder.write(Self.bytes, to: "file")
    try folder.write([1, 2, 3], to: "other")
    let file = try loop.open(path)
    let socket = try AdoptedSocket(on: loop, sendBufferByteCount: 4096)
    let outcomes = RangeOutcomes()
    socket.connection.write(file, 0..<Int64(Self.bytes.count), outcomes.note)
    var received: [UInt8] = []
    loop.wait { socket.take(into: &received) }
    XCTAssertEqual(unsafe rename(folder.path.appending("other").string, path.string), 0)
    received += socket.receive(Self.bytes.count - received.count)
    XCTAssertTrue(received == Self.bytes)
    socket.end()
  }
}
