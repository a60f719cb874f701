internal import CLibevent
internal import Glibc
internal import Reactor

/// A connection that we have closed while its client may still send.
///
/// Closed outright, the kernel answers what still arrives with a reset, and on that the client
/// throws away an answer that it has not read: "413" would be seen as "connection reset". So what
/// arrives is read and forgotten until the client closes too, for a limited time.
@safe
final class LingeringSocket {
  /// How long the client may send nothing.
  static let inactivityTimeout = Duration.seconds(2)

  /// How long it may send at all.
  static let timeout = Duration.seconds(30)

  private static let byteCountPerTurn = 1024 * 1024

  private let socket: Int32
  private let closed: () -> Void
  private let start = ContinuousClock.now
  private var event: OpaquePointer?

  /// Takes over a socket on which the sending side is shut; `closed` is called by the loop when
  /// this has closed it.
  init(_ socket: Int32, _ core: LoopCore, closed: @escaping () -> Void) {
    self.socket = socket
    self.closed = closed
    let event = unsafe makeEvent(
      core, socket, EV_READ | EV_PERSIST, call: onLinger, on: self)
    unsafe self.event = event
    var timeout = timeval(Self.inactivityTimeout)
    unsafe event_add(event, &timeout)
  }

  /// Closes the socket; does nothing the second time.
  func close() {
    guard let event = unsafe event else { return }
    unsafe self.event = nil
    unsafe event_free(event)
    _ = Glibc.close(socket)
  }

  fileprivate func happened(_ what: Int16) {
    if what & Int16(EV_READ) != 0, ContinuousClock.now - start < Self.timeout {
      // With MSG_TRUNC, TCP drops the bytes and touches no memory (tcp(7)).
      let count = recv(
        socket, nil, Self.byteCountPerTurn, Int32(MSG_TRUNC | MSG_DONTWAIT))
      if count > 0 || (count < 0 && (errno == EAGAIN || errno == EINTR)) { return }
    }
    close()
    closed()
  }
}

private func onLinger(_: Int32, _ what: Int16, _ context: UnsafeMutableRawPointer?) {
  unsafe recover(LingeringSocket.self, context).happened(what)
}
