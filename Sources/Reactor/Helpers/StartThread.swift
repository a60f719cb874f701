internal import Glibc
package import SystemPackage

/// Runs `body` on a new thread. Wraps `pthread_create(3)`.
///
/// - Parameter blocksSignals: Whether to block all signals on the thread.
/// - Throws: `EAGAIN` if the thread cannot be started.
package func startThread(
  blocksSignals: Bool = false, _ body: @escaping @Sendable () -> Void
) throws(Errno) {
  var former = sigset_t()
  if blocksSignals {
    var all = sigset_t()
    unsafe sigfillset(&all)
    // A thread inherits the mask of its creator.
    unsafe pthread_sigmask(SIG_SETMASK, &all, &former)
  }
  defer { if blocksSignals { unsafe pthread_sigmask(SIG_SETMASK, &former, nil) } }
  var thread = pthread_t()
  // The thread releases it.
  let context = unsafe Unmanaged.passRetained(ThreadBody(body))
  let error = unsafe pthread_create(&thread, nil, threadMain, context.toOpaque())
  guard error == 0 else {
    unsafe context.release()
    throw Errno(rawValue: error)
  }
  pthread_detach(thread)
}

private final class ThreadBody {
  let run: @Sendable () -> Void

  init(_ run: @escaping @Sendable () -> Void) {
    self.run = run
  }
}

private func threadMain(_ context: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
  // startThread passes a body that is retained for this thread.
  guard let context = unsafe context else { return nil }
  unsafe Unmanaged<ThreadBody>.fromOpaque(context).takeRetainedValue().run()
  return nil
}
