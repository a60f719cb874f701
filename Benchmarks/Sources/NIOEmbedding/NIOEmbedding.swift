import Foundation
import Glibc
import NIOCore
import NIOPosix
import PosixAIO
import SystemPackage
import struct SystemPackage.FileDescriptor

/// Runs a completion queue on an event loop of SwiftNIO: checks each answer, and measures its way.
@main
enum NIOEmbedding {
  private static let blockCount = 10_000
  private static let hopCount = 5_000

  static func main() throws {
    let path = FilePath(NSTemporaryDirectory()).appending("nio-embedding-\(getpid())")
    defer { unsafe unlink(path.string) }
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let pool = NIOThreadPool(numberOfThreads: 1)
    pool.start()
    let place = Place(path: path, eventLoop: group.next(), pool: pool)
    for readsCacheFirst in [true, false] { try check(place, readsCacheFirst: readsCacheFirst) }
    try measure(place)
    try pool.syncShutdownGracefully()
    try group.syncShutdownGracefully()
  }

  private static func check(_ place: Place, readsCacheFirst: Bool) throws {
    let count = try place.run { driver in
      try Storm.run(blockCount: blockCount, place.open(), driver, on: place.eventLoop)
    } _: {
      $0.readsCacheFirst = readsCacheFirst
    }
    print("\(count) requests, each answered once, bytes right; cache first: \(readsCacheFirst)")
  }

  private static func measure(_ place: Place) throws {
    print("Median of \(hopCount) reads of 4 KiB, one at a time, in microseconds:")
    for (name, readsCacheFirst) in [("from the cache", true), ("by a helper thread", false)] {
      let ours = try Hop.medianOnEventLoop(
        hopCount, place.open(), readsCacheFirst: readsCacheFirst)
      let theirs = try place.run { driver in
        try Hop.median(hopCount, place.open(), driver, on: place.eventLoop)
      } _: {
        $0.readsCacheFirst = readsCacheFirst
      }
      print("  \(name): Reactor \(microseconds(ours)), SwiftNIO \(microseconds(theirs))")
    }
  }

  private static func microseconds(_ duration: Duration) -> String {
    String(format: "%.1f", duration / .microseconds(1))
  }
}

/// Where the requests are made.
private struct Place: Sendable {
  let path: FilePath
  let eventLoop: any EventLoop
  let pool: NIOThreadPool

  func open() throws -> FileDescriptor {
    try .open(path, .readWrite, options: [.create], permissions: .ownerReadWrite)
  }

  /// Makes a queue on the event loop's thread, and waits for what `body` does with it there.
  func run<Value: Sendable>(
    _ body: @escaping @Sendable (NIOQueue) throws -> EventLoopFuture<Value>,
    _ configure: @escaping @Sendable (inout CompletionQueue.Configuration) -> Void
  ) throws -> Value {
    try eventLoop.flatSubmit { [self] in
      do {
        var configuration = CompletionQueue.Configuration()
        configure(&configuration)
        return try body(try NIOQueue(on: eventLoop, pool: pool, configuration: configuration))
      } catch {
        return eventLoop.makeFailedFuture(error)
      }
    }.wait()
  }
}
