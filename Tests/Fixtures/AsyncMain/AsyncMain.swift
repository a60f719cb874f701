import PosixAIO
import SystemPackage
import TestSupport

struct BlocksAreWrong: Error {}

/// A program whose main is asynchronous: its first thread parks with no signal blocked, and takes
/// signals that nobody wants it to take.
///
/// Writes 256 blocks, reads each of them, syncs now and then, checks all, and prints how many
/// signals landed on other threads.
@main
struct AsyncMain {
  static let blockCount = 256
  static let blockByteCount = 512

  static func main() async throws {
    // Dispatch may run the rest on another thread after this.
    await Task.yield()
    try await Task.detached { try runBlocks() }.value
  }

  static func runBlocks() throws {
    let folder = try TemporaryDirectory()
    var configuration = CompletionQueue.Configuration()
    configuration.readsCacheFirst = false
    let queue = try CompletionQueue(configuration: configuration)
    let file = AIOFile(try folder.open("blocks"), queue: queue)
    var writes = [Int](repeating: 0, count: blockCount)
    var reads = writes
    var syncs = 0
    for number in 0..<blockCount {
      let block = Pattern.block(number, byteCount: blockByteCount)
      let offset = Int64(number * blockByteCount)
      try file.write(IOBuffer(copying: block), at: offset) { result, _ in
        if case .success(blockByteCount) = result { writes[number] += 1 }
        // A refusal leaves the count at 0.
        _ = try? file.read(into: IOBuffer(capacity: blockByteCount), at: offset) { result, buffer in
          if case .success(blockByteCount) = result, Array(buffer) == block { reads[number] += 1 }
        }
      }
      if number % 16 == 0 {
        try file.sync { if case .success = $0 { syncs += 1 } }
      }
      queue.drain()
    }
    try queue.runUntilIdle()
    let expected = (0..<blockCount).flatMap { Pattern.block($0, byteCount: blockByteCount) }
    guard (writes + reads).allSatisfy({ $0 == 1 }), syncs == 16,
      try folder.contents(of: "blocks") == expected
    else { throw BlocksAreWrong() }
    print("ok strays=\(queue.statistics.strayCount)")
  }
}
