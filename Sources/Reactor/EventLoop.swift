internal import CLibevent

/// stub
public final class EventLoop {
  package let base: OpaquePointer
  public init() { unsafe base = event_base_new()! }
  deinit { unsafe event_base_free(base) }
  public func run() { unsafe event_base_dispatch(base) }
  public func stop() { unsafe event_base_loopbreak(base) }
}
