#if ServiceLifecycle
  internal import Glibc
  internal import SystemPackage

  /// Runs a blocking call on a new thread, and waits for it without blocking one of the tasks'.
  ///
  /// - Throws: What the body throws; `EAGAIN` if there is no thread to be had.
  func onThreadOfItsOwn(_ body: @escaping @Sendable () throws -> Void) async throws {
    try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, Error>) in
      let call = unsafe Unmanaged.passRetained(
        Call { continuation.resume(with: Result(catching: body)) })
      var thread = pthread_t()
      let status = unsafe pthread_create(&thread, nil, threadMain, call.toOpaque())
      if status == 0 {
        pthread_detach(thread)
      } else {
        unsafe call.release()
        continuation.resume(throwing: Errno(rawValue: status))
      }
    }
  }

  private final class Call {
    let body: () -> Void
    init(_ body: @escaping () -> Void) { self.body = body }
  }

  private func threadMain(_ call: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    // The creator passes a call, retained for this thread.
    guard let call = unsafe call else { return nil }
    unsafe Unmanaged<Call>.fromOpaque(call).takeRetainedValue().body()
    return nil
  }
#endif
