import Glibc
import Reactor
import SystemPackage

/// The servers of all threads, each on its own loop and all on the same port. The group belongs to
/// the thread of the first server.
final class ServerGroup {
  /// A server on its own thread.
  struct Member: Sendable {
    let remote: EventLoop.Remote
    let server: UncheckedTransfer<FileServer>
  }

  private let loop: EventLoop
  private let start = ContinuousClock.now
  private var members: [Member] = []
  private var running = 0
  private var whenIdle: (() -> Void)?

  /// Returns the bytes that the access log has dropped.
  var droppedLogByteCount: () -> Int64 = { 0 }

  init(_ loop: EventLoop) {
    self.loop = loop
  }

  /// Adds a server that listens.
  func add(_ server: FileServer, _ remote: EventLoop.Remote) {
    add(Member(remote: remote, server: UncheckedTransfer(server)))
  }

  func add(_ member: Member) {
    members.append(member)
    running += 1
  }

  /// Shuts all servers down gracefully.
  ///
  /// - Parameter whenIdle: Called once, when the last one has ended.
  func shutDown(_ whenIdle: @escaping () -> Void) {
    self.whenIdle = whenIdle
    let group = UncheckedTransfer(self)
    let first = loop.remote
    for member in members {
      member.remote.execute { _ in
        member.server.value.shutDown {
          first.execute { _ in group.value.memberEnded() }
        }
      }
    }
  }

  private func memberEnded() {
    running -= 1
    if running == 0 { whenIdle?() }
  }

  /// Collects the statistics of all loops. Call it on the thread of the first loop, which also
  /// calls `handler`.
  func collectStatistics(_ handler: @escaping (ServerGroupStatistics) -> Void) {
    let collection = UncheckedTransfer(
      Collection(missing: members.count) { [self] loops in
        handler(
          ServerGroupStatistics(
            loops: loops, uptime: .now - start, droppedLogByteCount: droppedLogByteCount()))
      })
    let first = loop.remote
    for (index, member) in members.enumerated() {
      let isAsked = member.remote.execute { _ in
        let statistics = member.server.value.statistics
        first.execute { _ in collection.value.add(statistics, index) }
      }
      // The call queue of that loop is full; send the other statistics without it.
      if !isAsked { collection.value.add(nil, index) }
    }
  }

  private final class Collection {
    private var missing: Int
    private var loops: [Int: LoopStatistics] = [:]
    private let handler: ([LoopStatistics]) -> Void

    init(missing: Int, _ handler: @escaping ([LoopStatistics]) -> Void) {
      self.missing = missing
      self.handler = handler
    }

    func add(_ statistics: LoopStatistics?, _ index: Int) {
      loops[index] = statistics
      missing -= 1
      if missing == 0 { handler(loops.sorted { $0.key < $1.key }.map(\.value)) }
    }
  }
}

/// A value that passes through other threads, and is used only on the thread that it belongs to.
struct UncheckedTransfer<Value>: @unchecked Sendable {
  let value: Value

  init(_ value: Value) {
    self.value = value
  }
}
