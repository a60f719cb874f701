internal import Foundation
internal import Measuring

/// A server in a process of its own, with the counting heap preloaded. Killed when nobody holds
/// this any longer.
final class CountedServer {
  private let process = Process()
  private let countFile: URL
  private let port: UInt16

  struct Failure: Error, CustomStringConvertible {
    let description: String
  }

  /// Starts a server, and waits until it listens.
  ///
  /// - Parameters:
  ///   - program: Prints "listening on http://HOST:PORT" once it does.
  ///   - folder: The count is kept there.
  init(_ program: URL, _ arguments: [String], folder: URL) throws {
    let counter = Self.siblings.appendingPathComponent("liballocation-counter.so")
    for needed in [counter, program]
    where !FileManager.default.fileExists(atPath: needed.path) {
      throw Failure(description: "\(needed.path) was not built")
    }
    countFile = folder.appendingPathComponent("count-\(program.lastPathComponent)")
    process.executableURL = program
    process.arguments = arguments
    process.environment = ProcessInfo.processInfo.environment.merging([
      "LD_PRELOAD": counter.path, "ALLOCATION_COUNT_FILE": countFile.path,
    ]) { $1 }
    let output = Pipe()
    process.standardOutput = output
    try process.run()
    // Less than the pipe holds, and in one piece.
    let line = String(decoding: output.fileHandleForReading.availableData, as: UTF8.self)
    guard let text = line.split(separator: "\n").first?.split(separator: ":").last,
      let port = UInt16(text)
    else {
      process.terminate()
      throw Failure(description: "\(program.path) did not start")
    }
    self.port = port
  }

  deinit {
    process.terminate()
    process.waitUntilExit()
  }

  /// Where the programs of this package are.
  static var siblings: URL {
    URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
  }

  /// Heap allocations for each of so many requests, after as many that are not counted. One client
  /// makes them, and waits for each response.
  func allocationsPerRequest(_ target: String, requestCount: Int) throws -> Double {
    let client = try BlockingClient(port: port)
    try ask(client, target, requestCount)
    let before = try count
    try ask(client, target, requestCount)
    return Double(try count - before) / Double(requestCount)
  }

  private func ask(_ client: BlockingClient, _ target: String, _ requestCount: Int) throws {
    for _ in 0..<requestCount {
      let status = try client.ask("GET", target)
      guard status == 200 else {
        throw Failure(description: "the server responded \(status) where 200 is due")
      }
    }
  }

  private var count: Int64 {
    get throws {
      let bytes = try Data(contentsOf: countFile)
      return unsafe bytes.withUnsafeBytes { unsafe $0.loadUnaligned(as: Int64.self) }
    }
  }
}
