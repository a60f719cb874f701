internal import CLibevent
internal import Reactor

/// Keeps a connection's descriptor among those that epoll looks at while evhttp does not read.
///
/// evhttp stops reading while a request is answered. libevent takes the descriptor out of epoll's
/// set then, and puts it back behind the answer: two system calls for each request, for an answer
/// that is out within the turn as a rule. But it counts who wants to read from a descriptor, and as
/// long as this second event does, the set stays as it is.
///
/// Where something arrives that nobody reads, epoll would report it in each turn. Then this lets
/// go, until the next answer is out.
@safe
final class ReadingHold {
  private enum State {
    case released
    case held
    /// The bufferevent has read since epoll last reported something, which was that.
    case heldBehindReading
  }

  private let stream: OpaquePointer
  private var event: OpaquePointer?
  private var state = State.released

  /// - Parameter stream: A bufferevent that has its descriptor.
  init(_ stream: OpaquePointer, _ core: LoopCore) {
    unsafe self.stream = stream
    let descriptor = unsafe bufferevent_getfd(stream)
    unsafe event = makeEvent(
      core, descriptor, EV_READ | EV_PERSIST, call: onArrival, on: self)
  }

  deinit { end() }

  /// Holds on, if it does not.
  func hold() {
    guard let event = unsafe event, case .released = state, unsafe event_add(event, nil) == 0
    else { return }
    state = .held
  }

  /// To be called when the bufferevent has read.
  func noteReading() {
    if case .held = state { state = .heldBehindReading }
  }

  /// Lets go for good, before the descriptor is closed.
  func end() {
    guard let event = unsafe event else { return }
    unsafe event_free(event)
    unsafe self.event = nil
  }

  fileprivate func somethingArrived() {
    let isReading = unsafe bufferevent_get_enabled(stream) & Int16(EV_READ) != 0
    // The bufferevent reads it in this turn, or has done so and found a whole request.
    guard !isReading, case .held = state else {
      state = .held
      return
    }
    unsafe event_del(event)
    state = .released
  }
}

private func onArrival(_: Int32, _: Int16, _ context: UnsafeMutableRawPointer?) {
  unsafe recover(ReadingHold.self, context).somethingArrived()
}
