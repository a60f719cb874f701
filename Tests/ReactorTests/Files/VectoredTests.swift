import PosixAIO
import Reactor
import SystemPackage
import TestSupport
import XCTest

final class VectoredTests: XCTestCase {
  private func pieces(_ vector: consuming IOVector) -> [[UInt8]] {
    var pieces: [[UInt8]] = []
    while let buffer = vector.popFirst() { pieces.append(Array(buffer)) }
    return pieces
  }

  private func vector(_ pieces: [[UInt8]]) -> IOVector {
    var vector = IOVector()
    for piece in pieces { vector.append(IOBuffer(copying: piece)) }
    return vector
  }

  private func vector(capacities: [Int]) -> IOVector {
    var vector = IOVector()
    for capacity in capacities { vector.append(IOBuffer(capacity: capacity)) }
    return vector
  }

  func test_piecesAreWrittenAndReadInOrder_withOneResult() throws {
    let (loop, folder) = (try EventLoop(), try TemporaryDirectory())
    let file = try loop.open(folder.path.appending("file"))
    let blocks = (0..<5).map { Pattern.block($0, byteCount: $0 * 1000 + 1) }
    let total = blocks.map(\.count).reduce(0, +)
    let count = try loop.value { done in
      file.write(vector(blocks), at: 100) { result, vector in
        let given = self.pieces(vector)
        XCTAssertEqual(given, blocks)
        done(result)
      }
    }
    XCTAssertEqual(count, total)
    XCTAssertEqual(
      try folder.contents(of: "file"), [UInt8](repeating: 0, count: 100) + blocks.joined())
    var read: [[UInt8]] = []
    let capacities = [0] + blocks.map(\.count) + [77, 5]
    let readCount = try loop.value { done in
      file.read(into: vector(capacities: capacities), at: 100) { result, vector in
        read = self.pieces(vector)
        done(result)
      }
    }
    XCTAssertEqual(readCount, total)
    XCTAssertEqual(read, [[]] + blocks + [[], []])
  }

  func test_endOfTheFileIsInTheMiddleOfAPiece() throws {
    let (loop, folder) = (try EventLoop(), try TemporaryDirectory())
    try folder.write(0..<10, to: "file")
    let file = try loop.open(folder.path.appending("file"))
    var read: [[UInt8]] = []
    let count = try loop.value { done in
      file.read(into: vector(capacities: [4, 4, 4, 4]), at: 0) { result, vector in
        read = self.pieces(vector)
        done(result)
      }
    }
    XCTAssertEqual(count, 10)
    XCTAssertEqual(read, [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9], []])
  }

  func test_noPiecesAreWrittenAsNoBytes_andHaveNoRoomForARead() throws {
    let (loop, folder) = (try EventLoop(), try TemporaryDirectory())
    let file = try loop.open(folder.path.appending("file"))
    XCTAssertEqual(
      try loop.value { done in
        file.write(IOVector(), at: 0) { result, _ in done(result) }
      }, 0)
    var errnos: [Errno?] = []
    file.read(into: IOVector(), at: 0) { result, _ in errnos.append(result.errno) }
    file.read(into: vector(capacities: [0, 0]), at: 0) { result, _ in errnos.append(result.errno) }
    loop.wait { errnos.count == 2 }
    XCTAssertEqual(errnos, [.noBufferSpace, .noBufferSpace])
  }

  func test_moreThanTheKernelTakesIsRefused() throws {
    let (loop, folder) = (try EventLoop(), try TemporaryDirectory())
    let file = try loop.open(folder.path.appending("file"))
    let pieces = [[UInt8]](repeating: [1], count: 1025)
    var counts: [Int] = []
    let writing = try loop.error { done in
      file.write(vector(pieces), at: 0) { result, vector in
        counts.append(vector.count)
        done(result)
      }
    }
    let reading = try loop.error { done in
      file.read(into: vector(pieces), at: 0) { result, vector in
        counts.append(vector.count)
        done(result)
      }
    }
    XCTAssertEqual([writing.errno, reading.errno], [.invalidArgument, .invalidArgument])
    XCTAssertEqual(counts, [1025, 1025], "the buffers come back")
    XCTAssertEqual(
      try loop.value { done in
        file.write(vector(pieces.dropLast()), at: 0) { result, _ in done(result) }
      }, 1024)
  }

  func test_failureTellsTheBytesOfAllPieces_andGivesThemBack() throws {
    let (loop, folder) = (try EventLoop(), try TemporaryDirectory())
    let path = folder.path.appending("file")
    let file = try loop.open(path)
    let blocks = [Pattern.block(1, byteCount: 600), Pattern.block(2, byteCount: 600)]
    let error = try ignoringFileSizeSignal {
      try ResourceLimit.fileSize.lowered(to: 1000) {
        try loop.error { done in
          file.write(vector(blocks), at: 100) { result, vector in
            let given = self.pieces(vector)
            XCTAssertEqual(given, blocks)
            done(result)
          }
        }
      }
    }
    XCTAssertEqual(
      error,
      FileError(
        operation: .write, path: path, offset: 100, byteCountDone: 900, errno: .fileTooLarge))
    XCTAssertEqual("\(error)", "write \"\(path)\" at 100: File too large (900 bytes done)")
  }

  func test_whatIsAppendedStandsInOrder_andItsErrorHasNoPlace() throws {
    let (loop, folder) = (try EventLoop(), try TemporaryDirectory())
    let path = folder.path.appending("file")
    try folder.write([9], to: "file")
    let file = try loop.open(path, options: [.append])
    let blocks = (0..<50).map { Pattern.block($0, byteCount: 100) }
    for block in blocks {
      file.append(IOBuffer(copying: block)) { result, _ in
        XCTAssertEqual(try? result.get(), 100)
      }
    }
    try loop.value { file.sync($0) }
    XCTAssertEqual(try folder.contents(of: "file"), [9] + blocks.joined())
    let error = try ignoringFileSizeSignal {
      try ResourceLimit.fileSize.lowered(to: 5005) {
        try loop.error { done in
          file.append(IOBuffer(copying: blocks[0])) { result, _ in done(result) }
        }
      }
    }
    XCTAssertEqual(
      error,
      FileError(operation: .write, path: path, byteCountDone: 4, errno: .fileTooLarge))
  }
}
