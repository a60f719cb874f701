internal import CPeers
internal import Glibc
internal import Measuring
internal import PosixAIO
internal import SystemPackage

/// What accepted requests take from the heap while they wait, buffers aside.
enum MemoryRow {
  private static let requestCount = 10_000

  static func measure(rounds: Int) throws -> RowResult {
    let usual = CompletionQueue.Configuration()
    var wide = usual
    wide.inFlightLimit = requestCount
    wide.inFlightLimitPerFile = requestCount
    let figures = try [usual, wide].map { configuration in
      let results = try (0..<rounds).map { _ in try PipeReader(configuration).weigh(requestCount) }
      return (
        name: "\(results[0].inFlightCount) in flight, \(results[0].waitingCount) waiting",
        figures: results.map(\.bytesPerRequest)
      )
    }
    return RowResult(
      name: "memory",
      title: "heap per request, \(Table.number(Double(requestCount))) accepted, buffers aside",
      unit: "bytes", figures: figures, floor: .atMost(512),
      note: "What glibc takes for them is in it. From mallinfo2, over all arenas.")
  }
}

/// Reads from a pipe that has nothing to say until we are done weighing.
private final class PipeReader {
  private let queue: CompletionQueue
  private let file: AIOFile
  private let writeEnd: FileDescriptor
  private var completedCount = 0

  init(_ configuration: CompletionQueue.Configuration) throws {
    queue = try CompletionQueue(configuration: configuration)
    let ends = try FileDescriptor.pipe()
    file = AIOFile(ends.readEnd, queue: queue)
    writeEnd = ends.writeEnd
  }

  struct Weight {
    let bytesPerRequest: Double
    let inFlightCount: Int
    let waitingCount: Int
  }

  func weigh(_ count: Int) throws -> Weight {
    let memories = unsafe (0..<count).map { _ in unsafe IOBuffer(capacity: 1).relinquish() }
    let before = bench_heap_bytes()
    for index in unsafe memories.indices {
      let buffer = unsafe IOBuffer(adopting: memories[index], count: 0)
      try file.read(into: buffer, at: 0) { [self] result, _ in
        precondition((try? result.get()) == 1, "PipeReader: every byte arrives")
        completedCount += 1
      }
    }
    queue.drain()
    let after = bench_heap_bytes()
    let figures = queue.statistics
    try finish(count)
    return Weight(
      bytesPerRequest: Double(after - before) / Double(count),
      inFlightCount: figures.inFlightCount, waitingCount: figures.waitingCount)
  }

  private func finish(_ count: Int) throws {
    let bytes = [UInt8](repeating: 0, count: count)
    _ = try unsafe bytes.withUnsafeBytes { try unsafe writeEnd.writeAll($0) }
    var entry = pollfd(fd: queue.descriptor.rawValue, events: Int16(POLLIN), revents: 0)
    while completedCount < count {
      _ = unsafe poll(&entry, 1, -1)
      queue.drain()
    }
    file.close()
    queue.drain()
    try writeEnd.close()
  }
}
