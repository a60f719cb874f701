internal import PosixAIO
internal import SystemPackage

/// The source of a pump's bytes: a connection, or the body of a request.
package protocol ByteSource: AnyObject {
  /// The loop that it belongs to.
  var core: LoopCore { get }

  /// The address of the peer that sends the bytes, if it is known.
  var sourceAddress: SocketAddress? { get }

  /// The number of bytes that have arrived and are not consumed.
  var readableByteCount: Int { get }

  /// Whether no more bytes will arrive after these.
  var hasEnded: Bool { get }

  /// Why no more bytes will come, if that is not the end of the input; nil while it is open.
  var inputEndReason: Connection.CloseReason? { get }

  /// Calls `body` with the bytes that have arrived; it returns how many it consumed.
  func consume(_ body: (RawSpan) -> Int)

  /// Calls `resume` once, never inside this call, when bytes have arrived or the source has ended
  /// or closed.
  func whenReadable(_ resume: @escaping () -> Void)

  /// Cancels ``whenReadable(_:)``.
  func stopWaiting()

  /// Notes that everything was consumed and that the consumer saw the end.
  func acknowledgeEnd()
}

extension Connection: ByteSource {
  package var sourceAddress: SocketAddress? { peerAddress }

  package var readableByteCount: Int {
    endReason == nil ? socket.inputByteCount : leftInput.count
  }

  package var hasEnded: Bool { input != .open || !isInUse }

  package var inputEndReason: CloseReason? {
    switch state {
    case .open: nil
    // The rest of the input is discarded from now on.
    case .closing(let reason, _), .lingering(let reason, _), .closed(let reason): reason
    }
  }

  package func consume(_ body: (RawSpan) -> Int) {
    if endReason == nil {
      socket.takeInput(socket.withInput(body))
      updateReading()
    } else {
      leftInput.removeFirst(unsafe leftInput.withUnsafeBytes { body(unsafe $0.bytes) })
    }
  }

  package func whenReadable(_ resume: @escaping () -> Void) {
    require(
      onReceiveHandler == nil && reader == nil,
      "Connection: only one of a receive handler, a pump and a task may read")
    if readableByteCount > 0 || hasEnded { return core.complete(resume) }
    reader = resume
    updateTimeouts()
  }

  package func stopWaiting() {
    reader = nil
    if isInUse { updateTimeouts() }
  }

  package func acknowledgeEnd() {
    if isInUse, input == .ended { noteEndOfInput() }
  }
}
