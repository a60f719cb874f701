internal import Glibc
internal import SystemPackage

/// A thread that is none of the loop's.
public enum OtherThread {
  private final class Work {
    let body: () -> Void
    init(_ body: @escaping () -> Void) { self.body = body }
  }

  /// Runs `body` on a new thread, to its end, while this one waits.
  public static func run(_ body: @escaping () -> Void) throws {
    nonisolated(unsafe) let body = body
    try start { unsafe body() }.join()
  }

  /// Runs `body` on a new thread.
  public static func start(_ body: @escaping @Sendable () -> Void) throws -> Running {
    var thread = pthread_t()
    let work = unsafe Unmanaged.passRetained(Work(body))
    let status = unsafe pthread_create(
      &thread, nil,
      { context in
        guard let context = unsafe context else { return nil }
        unsafe Unmanaged<Work>.fromOpaque(context).takeRetainedValue().body()
        return nil
      }, work.toOpaque())
    guard status == 0 else {
      unsafe work.release()
      throw Errno(rawValue: status)
    }
    return Running(thread: thread)
  }

  /// A thread to be joined once, or never.
  public struct Running {
    fileprivate let thread: pthread_t

    /// Waits for its end.
    public func join() {
      pthread_join(thread, nil)
    }

    /// Lets it end by itself.
    public func detach() {
      pthread_detach(thread)
    }
  }
}
