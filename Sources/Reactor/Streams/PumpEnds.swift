internal import PosixAIO
internal import SystemPackage

/// Where a pump gets bytes: a connection, or the body of a request.
package protocol ByteSource: AnyObject {
  /// Bytes that have arrived and were not consumed.
  var readableByteCount: Int { get }

  /// Whether nothing will arrive behind them.
  var hasEnded: Bool { get }

  /// Why it is closed; nil as long as it is not.
  var closeReason: Connection.CloseReason? { get }

  /// Shows what has arrived; the body says how much of it is consumed.
  func consume(_ body: (RawSpan) -> Int)

  /// Calls `resume` once, not from inside this call: when something has arrived, or something has
  /// happened to the source.
  func whenReadable(_ resume: @escaping () -> Void)

  /// Nobody waits any more.
  func stopWaiting()

  /// Everything was consumed, and whoever consumed it knows that it was all.
  func acknowledgeEnd()
}

extension Connection: ByteSource {
  package var readableByteCount: Int {
    endReason == nil ? stream.inputByteCount : leftInput.count
  }

  package var hasEnded: Bool { input != .open || !isInUse }

  package func consume(_ body: (RawSpan) -> Int) {
    if endReason == nil {
      stream.takeInput(stream.withInput(body))
      updateReading()
    } else {
      leftInput.removeFirst(unsafe leftInput.withUnsafeBytes { body(unsafe $0.bytes) })
    }
  }

  package func whenReadable(_ resume: @escaping () -> Void) {
    require(
      onReceiveHandler == nil && reader == nil,
      "Connection: one at a time reads from it: a receive handler, a pump or a task")
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
