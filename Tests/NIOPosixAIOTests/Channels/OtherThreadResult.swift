#if NIO
  import Foundation
  import Synchronization
  import TestSupport

  /// What a thread of its own returns.
  final class OtherThreadResult<Value: Sendable>: Sendable {
    private let value = Mutex<Value?>(nil)
    private let done = DispatchSemaphore(value: 0)

    init(_ body: @escaping @Sendable () -> Value) throws {
      try OtherThread.start { [self] in
        let result = body()
        value.withLock { $0 = result }
        done.signal()
      }.detach()
    }

    /// Waits for it. Call it once.
    func wait() -> Value? {
      guard done.wait(timeout: .now() + 60) == .success else { return nil }
      return value.withLock { $0 }
    }
  }
#endif
