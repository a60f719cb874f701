internal import PosixAIO

/// What a loop has accepted and not answered yet: its one registry.
///
/// Whatever accepts work enters it under one ``Kind``, and leaves it when its handler is called or
/// its task goes on. What takes several steps (a reader, a writer, a pump, the replacement of a
/// file) always has one of its steps in here. So a loop without obligations owes nobody an answer.
/// Closing it, shutting it down and dropping it ask here and nowhere else.
///
/// Each source counts its own, where it accepts and answers; here they are put together.
@safe
struct Obligations {
  enum Kind: CaseIterable {
    /// Reads, writes, syncs and closes of the completion queue.
    case fileRequest
    /// Writers that wait until the queue takes more.
    case queueWaiter
    /// Work on helper threads: calls on files and names, offloaded work, look-ups, locks.
    case helperCall
    /// Calls of the next turn; results that are ready are delivered by them, too.
    case nextTurnCall
    /// Calls and parts of tasks that other threads have passed on.
    case remoteCall
    /// Connections, listeners and connection attempts, with everything that waits for them.
    case socket
    /// Tasks that ``EventLoop/startTask(_:)->Task<Value,Never>`` started.
    case task
  }

  let queue: CompletionQueue
  let queueWaiters: QueueWaiters
  let helpers: Helpers
  let nextTurn: NextTurnCalls
  let remoteCalls: EventLoop.RemoteCalls
  let sockets: OpenSockets
  let tasks: LoopTasks

  func count(of kind: Kind) -> Int {
    switch kind {
    case .fileRequest: queue.unfinishedCount
    case .queueWaiter: queueWaiters.count
    case .helperCall: helpers.unfinishedCount
    case .nextTurnCall: nextTurn.count
    case .remoteCall: remoteCalls.count
    case .socket: sockets.count
    case .task: tasks.count
    }
  }

  /// Whether nobody is owed an answer.
  var isEmpty: Bool { Kind.allCases.allSatisfy { count(of: $0) == 0 } }

  /// Whether only tasks are left, which may wait for something other than the loop.
  var isEmptyButTasks: Bool {
    Kind.allCases.allSatisfy { $0 == .task || count(of: $0) == 0 }
  }
}
