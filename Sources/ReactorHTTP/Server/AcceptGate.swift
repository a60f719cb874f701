internal import CLibevent
internal import CLibeventExtra
internal import Glibc
internal import Reactor

/// The listening sockets of a server, and whether they accept.
///
/// They rest while the server is full, and for a moment when `accept` fails: a process that has
/// used up its descriptors would otherwise be told of the same waiting client for ever.
@safe
final class AcceptGate {
  /// How long accepting rests after a failure.
  static let pause = Duration.milliseconds(100)

  private var sockets: [OpaquePointer] = unsafe []
  private var isPaused = false
  private(set) var isOpen = true
  private var timer: OpaquePointer?

  /// Whether the server has as many connections as it may have.
  var isFull = false {
    didSet { if isFull != oldValue { update() } }
  }

  init(_ core: LoopCore) {
    unsafe timer = makeEvent(core, -1, 0, call: onPauseEnded, on: self)
  }

  deinit { end() }

  /// Takes the timer out of the base.
  func end() {
    guard let timer = unsafe timer.take() else { return }
    unsafe event_free(timer)
  }

  /// Takes on a listening socket that accepts.
  func add(_ socket: OpaquePointer) {
    unsafe sockets.append(socket)
    unsafe evconnlistener_set_error_cb(
      evhttp_bound_socket_get_listener(socket), onAcceptFailed)
    if !isOpen, let listener = unsafe evhttp_bound_socket_get_listener(socket) {
      unsafe evconnlistener_disable(listener)
    }
  }

  /// Closes all listening sockets. Wraps `evhttp_del_accept_socket`.
  func closeAll(of http: OpaquePointer) {
    unsafe sockets.forEach { unsafe evhttp_del_accept_socket(http, $0) }
    unsafe sockets = []
  }

  /// Rests for a moment.
  func pause() {
    isPaused = true
    update()
    guard let timer = unsafe timer else { return }
    var delay = timeval(Self.pause)
    unsafe event_add(timer, &delay)
  }

  fileprivate func pauseEnded() {
    isPaused = false
    update()
  }

  private func update() {
    guard isOpen == (isFull || isPaused) else { return }
    isOpen.toggle()
    unsafe sockets.forEach {
      let listener = unsafe evhttp_bound_socket_get_listener($0)
      if isOpen {
        unsafe evconnlistener_enable(listener)
      } else {
        unsafe evconnlistener_disable(listener)
      }
    }
  }
}

private func onPauseEnded(_: Int32, _: Int16, _ context: UnsafeMutableRawPointer?) {
  unsafe recover(AcceptGate.self, context).pauseEnded()
}
