internal import SystemPackage

extension Connection {
  /// Sends what is waiting, ends this side, and closes when the peer has ended, too, or has sent
  /// nothing for ``Configuration/lingerTimeout``. What arrives meanwhile is forgotten.
  ///
  /// The reason is ``CloseReason/local`` when the kernel took everything;
  /// ``CloseReason/timedOut(_:)`` when the peer did not take it in
  /// ``Configuration/closeTimeout``, or ``CloseReason/failed(_:)``. Does nothing the second time.
  public func close() {
    checkThread()
    endGracefully(.local)
  }

  /// As ``close()``, but what is waiting may take as long as the caller lets it.
  package func closeWhenSent() {
    checkThread()
    endGracefully(.local, isTimed: false)
  }

  /// Has the socket take now what it can, without anybody being told before the next turn.
  package func sendNow() {
    stream.sendQuietly()
  }

  /// Closes at once; what was not sent is dropped. The kernel goes on to send what it has taken.
  ///
  /// - Parameter resetting: Has the kernel drop that, too, and tell a TCP peer by a reset, which
  ///   that sees as `ECONNRESET`.
  public func abort(resetting: Bool = false) {
    checkThread()
    if case .closed = state { return }
    if resetting { SocketCalls.resetOnClose(stream.descriptor) }
    finish(.local, isTellingLater: true)
  }

  func endGracefully(_ reason: CloseReason, isTimed: Bool = true) {
    guard isInUse else { return }
    if output == .broken { return finish(.failed(.ioError), isTellingLater: true) }
    // Both sides have ended, and it was about to close by itself.
    let reason = input == .told && output == .ended ? .endOfInput : reason
    let timer =
      isTimed
      ? core.schedule(after: configuration.closeTimeout) { [self] in finish(.timedOut(.output)) }
      : nil
    state = .closing(reason, timer)
    if output == .open { output = .ending }
    updateTimeouts()
    // Later: input may be in use by a receive handler, and nobody is called from in here.
    sockets.callLater { [self] in
      // Everything may be sent already.
      if case .closed = state { return }
      stream.takeInput(stream.inputByteCount)
      updateReading()
      outputMoved()
      cancelWaiting()
    }
  }

  /// Everything was sent, and this side is shut down.
  func linger(_ reason: CloseReason) {
    guard input == .open, configuration.lingerTimeout > .zero else { return finish(reason) }
    let timer = core.schedule(after: configuration.closeTimeout) { [self] in finish(reason) }
    state = .lingering(reason, timer)
    stream.setTimeouts(input: configuration.lingerTimeout, output: nil)
  }

  /// Closes the socket, and tells it: now, or in the next turn where the caller is the user.
  func finish(_ reason: CloseReason, isTellingLater: Bool = false) {
    switch state {
    case .closed: return
    case .closing(_, let timer): timer?.cancel()
    case .lingering(_, let timer): timer.cancel()
    case .open: keepLeftInput(reason)
    }
    state = .closed(reason)
    stream.close()
    dropHandlers()
    if isTellingLater {
      sockets.callLater { [self] in tellClosed(reason) }
    } else {
      tellClosed(reason)
    }
  }

  /// A reader may come for what arrived before the peer vanished.
  private func keepLeftInput(_ reason: CloseReason) {
    guard onReceiveHandler == nil, reason != .local else { return }
    leftInput = stream.withInput { unsafe $0.withUnsafeBytes { unsafe Array($0) } }
  }

  private func tellClosed(_ reason: CloseReason) {
    sockets.remove(self)
    stream.dropInput()
    tellOwners()
    let handler = onCloseHandler
    letGo()
    cancelWaiting()
    resumeClosers(reason)
    handler?(self, reason)
  }

  /// Lets whoever waits see for themselves that there is nothing to wait for.
  private func cancelWaiting() {
    let waiting = (reader.map { [$0] } ?? []) + writers.map(\.resume)
    reader = nil
    writers = []
    for resume in waiting { resume() }
  }

  private func resumeClosers(_ reason: CloseReason) {
    let waiting = closers
    closers = []
    for pending in waiting { pending.finish(.success(reason)) }
  }

  /// Gives back all handlers but the one that is still to be called.
  private func dropHandlers() {
    onReceive = nil
    onInput = nil
    onEndOfInput = nil
    onDrained = nil
    onProgress = nil
    onOutputFailure = nil
  }

  /// Gives back the handlers, which may hold the connection, and its place with the listener.
  private func letGo() {
    dropHandlers()
    onClose = nil
    let listener = listener
    self.listener = nil
    listener?.connectionClosed()
  }
}

extension Connection: OpenSocket {
  package func loopIsEnding() {
    finish(.local, isTellingLater: true)
  }
}
