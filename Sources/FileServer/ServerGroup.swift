import Glibc
import Reactor
import SystemPackage

/// The servers of all threads, each with a loop of its own on the same port. Belongs to the thread
/// of the first one.
final class ServerGroup {
  /// A server on a thread of its own.
  struct Member: Sendable {
    let remote: EventLoop.Remote
    let server: Handed<FileServer>
  }

  private let loop: EventLoop
  private let start = ContinuousClock.now
  private var members: [Member] = []
  private var running = 0
  private var whenIdle: (() -> Void)?

  /// Tells what the access log has lost.
  var droppedLogByteCount: () -> Int64 = { 0 }

  init(_ loop: EventLoop) {
    self.loop = loop
  }

  /// Takes a server that listens.
  func add(_ server: FileServer, _ remote: EventLoop.Remote) {
    add(Member(remote: remote, server: Handed(server)))
  }

  func add(_ member: Member) {
    members.append(member)
    running += 1
  }

  /// Has all servers end politely.
  ///
  /// - Parameter whenIdle: Called once, when the last one has.
  func shutDown(_ whenIdle: @escaping () -> Void) {
    self.whenIdle = whenIdle
    let group = Handed(self)
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

  /// Collects the figures of all loops. To be called on the first one's thread, which is also where
  /// `handler` is called.
  func snapshot(_ handler: @escaping (Snapshot) -> Void) {
    let collection = Handed(
      Collection(missing: members.count) { [self] loops in
        handler(
          Snapshot(
            loops: loops, uptime: .now - start, droppedLogByteCount: droppedLogByteCount()))
      })
    let first = loop.remote
    for (index, member) in members.enumerated() {
      let isAsked = member.remote.execute { _ in
        let snapshot = member.server.value.snapshot
        first.execute { _ in collection.value.add(snapshot, index) }
      }
      // Too much is waiting there already; the others are shown without it.
      if !isAsked { collection.value.add(nil, index) }
    }
  }

  private final class Collection {
    private var missing: Int
    private var loops: [Int: LoopSnapshot] = [:]
    private let handler: ([LoopSnapshot]) -> Void

    init(missing: Int, _ handler: @escaping ([LoopSnapshot]) -> Void) {
      self.missing = missing
      self.handler = handler
    }

    func add(_ snapshot: LoopSnapshot?, _ index: Int) {
      loops[index] = snapshot
      missing -= 1
      if missing == 0 { handler(loops.sorted { $0.key < $1.key }.map(\.value)) }
    }
  }
}

/// What travels through other threads to the one that it belongs to, and is used there alone.
struct Handed<Value>: @unchecked Sendable {
  let value: Value

  init(_ value: Value) {
    self.value = value
  }
}
