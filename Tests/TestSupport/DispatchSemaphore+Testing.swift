public import Dispatch

extension DispatchSemaphore {
  /// Waits until another thread signals, at most ``testDeadline``.
  public func waitForDeadline() -> DispatchTimeoutResult {
    wait(timeout: .now() + .seconds(Int(testDeadline.components.seconds)))
  }
}
