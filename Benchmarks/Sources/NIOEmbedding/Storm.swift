import Glibc
import NIOCore
import PosixAIO
import SystemPackage
import struct SystemPackage.FileDescriptor

/// Writes blocks to a file, reads each one back and compares it, with syncs in between: many at a
/// time, and counts the answers.
final class Storm {
  static let blockByteCount = 4096
  private static let atATime = 64
  private static let blocksPerSync = 16

  struct Failure: Error, CustomStringConvertible {
    let description: String
  }

  private let driver: NIOQueue
  private let file: AIOFile
  private let blockCount: Int
  private let end: EventLoopPromise<Int>
  private var started = 0
  private var answers: [Int]
  private var answeredCount = 0

  /// - Returns: The number of requests, when each of them was answered once.
  static func run(
    blockCount: Int, _ descriptor: FileDescriptor, _ driver: NIOQueue,
    on eventLoop: any EventLoop
  ) -> EventLoopFuture<Int> {
    let end = eventLoop.makePromise(of: Int.self)
    let storm = Storm(blockCount, AIOFile(descriptor, queue: driver.queue), driver, end)
    for _ in 0..<atATime { storm.next() }
    driver.drainSoon()
    return end.futureResult
  }

  private init(
    _ blockCount: Int, _ file: AIOFile, _ driver: NIOQueue, _ end: EventLoopPromise<Int>
  ) {
    (self.blockCount, self.file, self.driver, self.end) = (blockCount, file, driver, end)
    let syncCount = (blockCount + Self.blocksPerSync - 1) / Self.blocksPerSync
    answers = Array(repeating: 0, count: 2 * blockCount + syncCount)
  }

  private func next() {
    guard started < blockCount else { return }
    let block = started
    started += 1
    attempt {
      try file.write(IOBuffer(copying: Self.bytes(of: block)), at: Self.offset(of: block)) {
        [self] result, _ in
        answered(2 * block, isRight: (try? result.get()) == Self.blockByteCount)
        readBack(block)
      }
      guard block.isMultiple(of: Self.blocksPerSync) else { return }
      try file.sync { [self] result in
        answered(2 * blockCount + block / Self.blocksPerSync, isRight: (try? result.get()) != nil)
      }
    }
  }

  private func readBack(_ block: Int) {
    attempt {
      let buffer = IOBuffer(capacity: Self.blockByteCount)
      try file.read(into: buffer, at: Self.offset(of: block)) { [self] result, buffer in
        let bytes = buffer.withBytes { unsafe $0.withUnsafeBytes { unsafe Array($0) } }
        let isWhole = (try? result.get()) == Self.blockByteCount
        answered(2 * block + 1, isRight: isWhole && bytes == Self.bytes(of: block))
        next()
      }
    }
  }

  private func attempt(_ body: () throws -> Void) {
    do { try body() } catch { end.fail(error) }
  }

  private func answered(_ number: Int, isRight: Bool) {
    answers[number] += 1
    answeredCount += 1
    if !isRight { end.fail(Failure(description: "request \(number) has a wrong result")) }
    guard answeredCount == answers.count else { return }
    // Behind all that may still be answered, once more by mistake.
    file.close { [self] _ in
      if answers.allSatisfy({ $0 == 1 }), answeredCount == answers.count {
        end.succeed(answeredCount)
      } else {
        end.fail(Failure(description: "requests were answered more than once, or never"))
      }
    }
  }

  private static func offset(of block: Int) -> Int64 { Int64(block * blockByteCount) }

  private static func bytes(of block: Int) -> [UInt8] {
    (0..<blockByteCount).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ block &* 7) }
  }
}
