internal import SystemPackage

extension Connection {
  /// Sends the waiting output, ends this side, and closes when the peer has ended its side too, or
  /// has sent nothing for ``Configuration/lingerTimeout``. Input that arrives meanwhile is
  /// discarded.
  ///
  /// The reason is ``CloseReason/local`` when the kernel took everything,
  /// ``CloseReason/timedOut(_:)`` when the peer did not take it within
  /// ``Configuration/closeTimeout``, or ``CloseReason/failed(_:)``. A second call does nothing.
  public func close() {
    checkThread()
    endGracefully(.local)
  }

  /// As ``close()``, but with no limit on how long sending takes.
  package func closeWhenSent() {
    checkThread()
    endGracefully(.local, isTimed: false)
  }

  /// Sends what the socket takes now. Handlers are called in the next turn, not from here.
  package func sendNow() {
    socket.sendQuietly()
  }

  /// Closes at once and drops unsent output. The kernel still sends what it has already taken.
  ///
  /// - Parameter resetting: Whether the kernel drops that too and resets a TCP connection. The peer
  ///   then sees `ECONNRESET`.
  public func abort(resetting: Bool = false) {
    checkThread()
    if case .closed = state { return }
    if resetting { SocketCalls.resetOnClose(socket.descriptor) }
    finish(.local, reportsNextTurn: true)
  }

  func endGracefully(_ reason: CloseReason, isTimed: Bool = true) {
    guard isInUse else { return }
    if output == .broken { return finish(.failed(.ioError), reportsNextTurn: true) }
    // Both sides have ended, and the connection was about to close by itself.
    let reason = input == .reported && output == .ended ? .endOfInput : reason
    let timer =
      isTimed
      ? core.schedule(after: configuration.closeTimeout) { [self] in finish(.timedOut(.output)) }
      : nil
    state = .closing(reason, timer)
    if output == .open { output = .ending }
    updateTimeouts()
    // In the next turn: a receive handler may be using the input, and no handler may be called
    // inside this call.
    sockets.nextTurn { [self] in
      // Sending may already have finished and closed it.
      if case .closed = state { return }
      socket.takeInput(socket.inputByteCount)
      updateReading()
      outputMoved()
      cancelWaiting()
    }
  }

  /// Waits for the peer's end after all output is sent and this side is shut down.
  func linger(_ reason: CloseReason) {
    guard input == .open, configuration.lingerTimeout > .zero else { return finish(reason) }
    let timer = core.schedule(after: configuration.closeTimeout) { [self] in finish(reason) }
    state = .lingering(reason, timer)
    socket.setTimeouts(input: configuration.lingerTimeout, output: nil)
  }

  /// Closes the socket and reports it: now, or in the next turn when the caller is user code.
  func finish(_ reason: CloseReason, reportsNextTurn: Bool = false) {
    switch state {
    case .closed: return
    case .closing(_, let timer): timer?.cancel()
    case .lingering(_, let timer): timer.cancel()
    case .open: keepLeftInput(reason)
    }
    state = .closed(reason)
    socket.close()
    // Before handlers are released, which may close the loop.
    if reportsNextTurn { sockets.nextTurn { [self] in reportClosed(reason) } }
    dropHandlers()
    if !reportsNextTurn { reportClosed(reason) }
  }

  /// Keeps the input for a reader that comes after the peer has gone away.
  private func keepLeftInput(_ reason: CloseReason) {
    guard onReceiveHandler == nil, reason != .local else { return }
    leftInput = socket.withInput { unsafe $0.withUnsafeBytes { unsafe Array($0) } }
  }

  private func reportClosed(_ reason: CloseReason) {
    sockets.remove(self)
    socket.dropInput()
    reportSettled()
    let handler = onCloseHandler
    releaseHandlers()
    cancelWaiting()
    resumeClosers(reason)
    handler?(self, reason)
  }

  /// Resumes the waiting reader and writers, which then find the connection closed.
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

  /// Releases all handlers except ``onClose``, which is still to be called.
  private func dropHandlers() {
    onReceive = nil
    onInput = nil
    onEndOfInput = nil
    onDrained = nil
    onProgress = nil
    onOutputFailure = nil
  }

  /// Releases all handlers, which may hold the connection, and its slot in the listener's limit.
  private func releaseHandlers() {
    dropHandlers()
    onClose = nil
    hasReleasedHandlers = true
    let listener = listener
    self.listener = nil
    listener?.connectionClosed()
  }
}

extension Connection: OpenSocket {
  package func loopIsEnding() {
    finish(.local, reportsNextTurn: true)
  }
}
