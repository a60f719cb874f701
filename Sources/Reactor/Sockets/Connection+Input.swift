internal import PosixAIO
internal import SystemPackage

extension Connection {
  /// Stops calling ``onReceive`` and ``onEndOfInput``. Bytes still arrive up to
  /// ``Configuration/inputHighWaterByteCount``; then the peer is held up.
  public func pauseReceiving() {
    checkThread()
    guard isInUse else { return }
    holdsInputBack = true
    updateTimeouts()
  }

  /// Ends a pause: the handler gets the bytes that have arrived in the loop's next turn. Without a
  /// pause, the handler gets its unconsumed bytes again.
  public func resumeReceiving() {
    checkThread()
    guard isInUse else { return }
    holdsInputBack = false
    deliverNextTurn()
  }

  /// The number of bytes that have arrived and are not consumed.
  public var unreadByteCount: Int {
    checkThread()
    return inputByteCount
  }

  /// As ``unreadByteCount``, without the thread check.
  package var inputByteCount: Int { socket.inputByteCount }

  /// Calls `body` with the unconsumed bytes in one contiguous span, not copied. They are not
  /// consumed.
  ///
  /// - Parameter body: Gets the bytes, valid until it returns.
  /// - Returns: The value that `body` returns.
  /// - Throws: The error that `body` throws.
  public func withUnreadBytes<Result, Failure: Error>(
    _ body: (RawSpan) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    checkThread()
    return try socket.withInput(body)
  }

  /// Reads what the kernel has, and calls the handlers for all input that has arrived. For code
  /// that the loop calls.
  package func receiveNow() {
    socket.receiveNow()
    deliver()
  }

  /// Calls the handlers in the next turn for input that has already arrived.
  func deliverNextTurn() {
    guard isInUse else { return }
    updateTimeouts()
    guard onReceiveHandler != nil, socket.inputByteCount > 0 || input == .ended else { return }
    sockets.nextTurn { [self] in deliver() }
  }

  func deliver() {
    guard isInUse else { return }
    if let onInput {
      onInput()
    } else if let reader {
      self.reader = nil
      updateTimeouts()
      reader()
    } else if !holdsInputBack, let handler = onReceiveHandler {
      if socket.inputByteCount > 0 { show(to: handler) }
      reportEndOfInput()
    }
    updateReading()
  }

  private func show(to handler: ReceiveHandler) {
    let byteCount = socket.inputByteCount
    let formerCount = writeCount
    let consumed = socket.withInput { handler(self, $0) }
    require(
      (0...byteCount).contains(consumed),
      "Connection: a receive handler must return how many of its bytes it consumed")
    socket.takeInput(consumed)
    if consumed > 0, writeCount == formerCount { owesResponses = true }
  }

  /// The receive handler may have closed or paused the connection, or removed itself.
  private func reportEndOfInput() {
    guard isInUse, input == .ended, !holdsInputBack, onReceiveHandler != nil else { return }
    if let handler = onEndOfInputHandler {
      noteEndOfInput()
      handler(self)
    } else if owesResponses {
      noteEndOfInput()
      closeWhenNothingIsWritten(since: writeCount)
    } else {
      endGracefully(.endOfInput)
    }
  }

  /// Closes after the first ``Configuration/halfClosedTimeout`` without a write or a pause and with
  /// nothing left to send.
  private func closeWhenNothingIsWritten(since formerCount: Int) {
    _ = core.schedule(after: configuration.halfClosedTimeout) { [weak self] in
      guard let self, isInUse else { return }
      if writeCount == formerCount, socket.isOutputEmpty, !holdsInputBack {
        return endGracefully(.endOfInput)
      }
      closeWhenNothingIsWritten(since: writeCount)
    }
  }

  /// Notes that the end of input was reported. If this side has ended too, the connection closes.
  func noteEndOfInput() {
    input = .reported
    guard output == .ended else { return }
    // In the next turn, so that the handler being told runs first.
    sockets.nextTurn { [self] in
      if isInUse { finish(.endOfInput) }
    }
  }

  /// Reads while there is room. A closing connection reads too, and discards; input unread at that
  /// time is dropped in the next turn.
  func updateReading() {
    if case .closed = state { return }
    socket.isReading =
      input == .open && socket.inputByteCount < socket.inputLimit
  }
}

extension Connection: BufferedSocketOwner {
  func bytesArrived() {
    guard isInUse else { return socket.takeInput(socket.inputByteCount) }
    deliver()
  }

  func inputEnded() {
    input = .ended
    switch state {
    case .open: deliver()
    case .lingering(let reason, _): finish(reason)
    case .closing, .closed: break
    }
  }

  func socketTimedOut(_ direction: Direction) {
    if case .lingering(let reason, _) = state { return finish(reason) }
    finish(.timedOut(direction))
  }

  func socketFailed(_ errno: Errno) {
    switch state {
    // The peer has everything or takes no more, and the connection was about to close.
    case .lingering(let reason, _): finish(reason)
    case .open, .closing: finish(.failed(errno))
    case .closed: break
    }
  }
}
