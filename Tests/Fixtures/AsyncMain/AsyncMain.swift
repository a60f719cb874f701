import Foundation
import PosixAIO
import SystemPackage
import TestSupport

struct BlocksAreWrong: Error {}

/// A program whose main is asynchronous: its first thread parks with no signal blocked, and takes
/// signals that nobody wants it to take.
///
/// Writes 256 blocks, checks them, and prints how many signals landed on other threads.
@main
struct AsyncMain {
  static func main() async throws {
    // Dispatch may run the rest on another thread after this.
    await Task.yield()
    try await Task.detached { try writeBlocks() }.value
  }

  static func writeBlocks() throws {
    let folder = try TemporaryFolder()
    let queue = try CompletionQueue()
    let file = AIOFile(try folder.open("blocks"), queue: queue)
    var completions = [Int](repeating: 0, count: 256)
    for number in 0..<256 {
      let block = Pattern.block(number, byteCount: 512)
      try file.write(IOBuffer(copying: block), at: Int64(number * 512)) { result, _ in
        if case .success(512) = result { completions[number] += 1 }
      }
      queue.drain()
    }
    try queue.runUntilIdle()
    let expected = (0..<256).flatMap { Pattern.block($0, byteCount: 512) }
    guard completions.allSatisfy({ $0 == 1 }), try folder.contents(of: "blocks") == expected else {
      throw BlocksAreWrong()
    }
    print("ok strays=\(queue.figures.strayCount)")
  }
}
