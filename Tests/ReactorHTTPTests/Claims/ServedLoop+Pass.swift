import Dispatch
import Reactor

@testable import ReactorHTTP

extension ServedLoop {
  /// Returns when a timer of the loop has fired.
  func pass(_ duration: Duration) throws {
    let done = DispatchSemaphore(value: 0)
    try onLoop { server in
      _ = server.value?.core.loop.schedule(after: duration) { done.signal() }
    }
    try done.waitOrFail("the timer did not fire")
  }
}
