/// An actor whose methods run on a loop's thread, whoever calls them.
///
/// ```swift
/// actor Journal: LoopActor {
///   let loop: EventLoop
///   private var file: File?
///
///   init(loop: EventLoop) { self.loop = loop }
///
///   func open(_ path: FilePath) async throws {
///     file = try await File.open(path, .writeOnly, options: [.create, .append], on: loop)
///   }
/// }
/// ```
///
/// So it may keep and use everything of the loop, such as a ``File`` or a ``FileWriter``. An
/// `await` of a call on the same loop costs no change of threads. Calls from other tasks come by
/// ``EventLoop/remote``.
///
/// An actor without an executor of its own does, too, as long as only tasks of the loop call it.
///
/// Where a task that is not the loop's calls the actor, child tasks that a method starts, and
/// `nonisolated async` functions that it calls, are not on the loop's thread;
/// `nonisolated(nonsending)` functions are.
///
/// After the loop's end the actor runs on a thread of its own, where calls to what belonged to the
/// loop throw `ECANCELED`; see ``EventLoop/Executor``.
public protocol LoopActor: Actor {
  /// The loop. It stays the same for the actor's life: a `let`.
  nonisolated var loop: EventLoop { get }
}

extension LoopActor {
  /// The loop's executor.
  nonisolated public var unownedExecutor: UnownedSerialExecutor {
    unsafe loop.executor.asUnownedSerialExecutor()
  }
}
