import Glibc
import NIOCore
import PosixAIO
import Reactor
import class Reactor.EventLoop
import SystemPackage
import struct SystemPackage.FileDescriptor

/// Times reads of a block, one at a time: what a completion costs on its way to the loop.
final class Hop {
  private let file: AIOFile
  private let count: Int
  private let started: () -> Void
  private let done: (Duration) -> Void
  private var times: [Duration] = []

  /// - Parameters:
  ///   - started: Called when a request was made outside of a drain.
  ///   - done: Gets the median of the times.
  init(
    _ count: Int, _ file: AIOFile, started: @escaping () -> Void,
    done: @escaping (Duration) -> Void
  ) {
    (self.count, self.file) = (count, file)
    (self.started, self.done) = (started, done)
  }

  private func next() {
    let start = ContinuousClock.now
    let handler: CompletionQueue.TransferHandler = { [self] result, _ in
      guard case .success = result else { preconditionFailure("\(result)") }
      times.append(.now - start)
      if times.count == count { done(times.sorted()[count / 2]) } else { next() }
    }
    do {
      try file.read(into: IOBuffer(capacity: Storm.blockByteCount), at: 0, handler)
    } catch {
      preconditionFailure("\(error)")
    }
    started()
  }

  /// The same on a loop of the package's own, where no thread stands between.
  static func medianOnEventLoop(
    _ count: Int, _ descriptor: FileDescriptor, readsCacheFirst: Bool
  ) throws -> Duration {
    var configuration = EventLoop.Configuration()
    configuration.queue.readsCacheFirst = readsCacheFirst
    let loop = try EventLoop(configuration: configuration)
    let file = AIOFile(descriptor, queue: loop.queue)
    var median: Duration?
    Hop(count, file, started: {}) { median = $0 }.next()
    loop.run(until: { median != nil })
    loop.close()
    return median ?? .zero
  }

  static func median(
    _ count: Int, _ descriptor: FileDescriptor, _ driver: NIOQueue,
    on eventLoop: any NIOCore.EventLoop
  ) -> EventLoopFuture<Duration> {
    let promise = eventLoop.makePromise(of: Duration.self)
    let file = AIOFile(descriptor, queue: driver.queue)
    Hop(count, file, started: driver.drainSoon) { median in
      file.close { _ in promise.succeed(median) }
    }.next()
    return promise.futureResult
  }
}
