internal import PosixAIO

/// Everything that a loop has accepted and not completed: its only registry.
///
/// Code that accepts work counts it under one ``Kind``, until its handler is called or its task
/// resumes. Multi-step operations (a reader, a writer, a pump, a file replacement) always have one
/// step counted here. So a loop without obligations has nothing left to complete. Closing, shutting
/// down and dropping the loop check this registry and nothing else.
///
/// Each source counts its own work where it accepts and completes it; this structure adds them up.
@safe
struct Obligations {
  enum Kind: CaseIterable {
    /// Reads, writes, syncs and closes of the completion queue.
    case fileRequest
    /// Writers that wait until the queue accepts more.
    case queueWaiter
    /// Work on helper threads: file and name calls, offloaded work, look-ups, locks.
    case helperCall
    /// Calls of the next turn, including those that report results that are ready.
    case nextTurnCall
    /// Calls and jobs that other threads passed to the loop.
    case remoteCall
    /// Connections, listeners and connection attempts, with all operations that wait for them.
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

  /// Whether the loop has nothing left to complete.
  var isEmpty: Bool { Kind.allCases.allSatisfy { count(of: $0) == 0 } }

  /// Whether only tasks are left, which may wait for something other than the loop.
  var isEmptyButTasks: Bool {
    Kind.allCases.allSatisfy { $0 == .task || count(of: $0) == 0 }
  }
}
