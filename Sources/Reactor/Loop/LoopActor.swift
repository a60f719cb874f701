/// An actor whose methods run on a loop's thread, whichever task calls them.
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
/// It may store and use all objects of the loop, such as a ``File`` or a ``FileWriter``. Awaiting a
/// call on the same loop does not switch threads. Calls from other tasks arrive by
/// ``EventLoop/remote``.
///
/// An actor without an executor of its own also runs on the loop, if only tasks of the loop call
/// it.
///
/// If a task of another executor calls the actor, the method's child tasks and the `nonisolated
/// async` functions that it calls do not run on the loop's thread; `nonisolated(nonsending)`
/// functions do.
///
/// After the loop's end the actor runs on a thread of its own, where calls to objects of the loop
/// throw `ECANCELED`; see ``EventLoop/Executor``.
public protocol LoopActor: Actor {
  /// The loop. It must stay the same for the actor's life: use a `let`.
  nonisolated var loop: EventLoop { get }
}

extension LoopActor {
  /// The loop's executor.
  nonisolated public var unownedExecutor: UnownedSerialExecutor {
    unsafe loop.executor.asUnownedSerialExecutor()
  }
}
