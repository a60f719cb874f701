internal import CLibevent
internal import Glibc
internal import Reactor

/// Makes an event that calls a trampoline with an object, which it does not retain: the object
/// frees the event before it goes. Wraps `event_new`.
func makeEvent<Owner: AnyObject>(
  _ core: LoopCore, _ descriptor: Int32, _ what: Int32,
  call: @escaping @convention(c) (Int32, Int16, UnsafeMutableRawPointer?) -> Void, on owner: Owner
) -> OpaquePointer {
  let context = unsafe Unmanaged.passUnretained(owner).toOpaque()
  guard let event = unsafe event_new(core.base, descriptor, Int16(what), call, context) else {
    outOfMemory()
  }
  return unsafe event
}

/// The object that a C callback was given as its context.
func recover<Owner: AnyObject>(
  _ type: Owner.Type, _ context: UnsafeMutableRawPointer?
) -> Owner {
  guard let context = unsafe context else {
    preconditionFailure("ReactorHTTP: a callback lost its context")
  }
  return unsafe Unmanaged<Owner>.fromOpaque(context).takeUnretainedValue()
}

extension timeval {
  /// Rounds up to a microsecond, and down to what `tv_sec` of libevent's heap can add to a clock.
  init(_ duration: Duration) {
    let (seconds, attoseconds) = min(duration, .seconds(1_000_000_000)).components
    let microseconds = (attoseconds + 999_999_999_999) / 1_000_000_000_000
    self.init(
      tv_sec: Int(seconds) + Int(microseconds / 1_000_000),
      tv_usec: Int(microseconds % 1_000_000))
  }
}
