internal import PosixAIO
internal import SystemPackage

extension Connection {
  /// Stops calling ``onReceive`` and ``onEndOfInput``. Bytes go on to arrive up to
  /// ``Configuration/inputHighWaterByteCount``; then the peer is held up.
  public func pauseReceiving() {
    checkThread()
    guard isInUse else { return }
    holdsInputBack = true
    updateTimeouts()
  }

  /// Ends a pause: what has arrived is shown in the loop's next turn. Without a pause it shows
  /// again what the receive handler has left.
  public func resumeReceiving() {
    checkThread()
    guard isInUse else { return }
    holdsInputBack = false
    deliverLater()
  }

  /// The bytes that have arrived and were not consumed.
  public var unreadByteCount: Int {
    checkThread()
    return inputByteCount
  }

  /// As ``unreadByteCount``, for whoever is on the loop's thread for certain.
  package var inputByteCount: Int { stream.inputByteCount }

  /// Shows the bytes that have arrived and were not consumed, in one piece, not copied. They stay.
  ///
  /// - Parameter body: Gets the bytes, which it may use until it returns.
  /// - Returns: What `body` returns.
  /// - Throws: What `body` throws.
  public func withUnreadBytes<Result, Failure: Error>(
    _ body: (RawSpan) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    checkThread()
    return try stream.withInput(body)
  }

  /// Calls the handlers in the next turn for what is there.
  func deliverLater() {
    guard isInUse else { return }
    updateTimeouts()
    guard onReceiveHandler != nil, stream.inputByteCount > 0 || input == .ended else { return }
    sockets.callLater { [self] in deliver() }
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
      if stream.inputByteCount > 0 { show(to: handler) }
      tellEndOfInput()
    }
    updateReading()
  }

  private func show(to handler: ReceiveHandler) {
    let byteCount = stream.inputByteCount
    let formerCount = writeCount
    let consumed = stream.withInput { handler(self, $0) }
    require(
      (0...byteCount).contains(consumed),
      "Connection: a receive handler returns how many of the shown bytes it has consumed")
    stream.takeInput(consumed)
    if consumed > 0, writeCount == formerCount { owesResponses = true }
  }

  /// The handler may have closed, paused, or left itself out.
  private func tellEndOfInput() {
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

  /// Closes at the first ``Configuration/halfClosedTimeout`` in which nothing was written.
  private func closeWhenNothingIsWritten(since formerCount: Int) {
    _ = core.schedule(after: configuration.halfClosedTimeout) { [weak self] in
      guard let self, isInUse else { return }
      if writeCount == formerCount, stream.isOutputEmpty { return endGracefully(.endOfInput) }
      closeWhenNothingIsWritten(since: writeCount)
    }
  }

  /// Somebody was told of the end of input. When this side has ended too, that was all.
  func noteEndOfInput() {
    input = .told
    guard output == .ended else { return }
    // Later: whoever is being told goes first.
    sockets.callLater { [self] in
      if isInUse { finish(.endOfInput) }
    }
  }

  /// Reads while there is room. A connection that closes, reads and forgets; what is unread then is
  /// dropped a little later.
  func updateReading() {
    if case .closed = state { return }
    stream.isReading =
      input == .open && stream.inputByteCount < configuration.inputHighWaterByteCount
  }
}

extension Connection: SocketStreamOwner {
  func bytesArrived() {
    guard isInUse else { return stream.takeInput(stream.inputByteCount) }
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

  func streamTimedOut(_ direction: Direction) {
    if case .lingering(let reason, _) = state { return finish(reason) }
    finish(.timedOut(direction))
  }

  func streamFailed(_ errno: Errno) {
    switch state {
    // The peer has everything, or will not take it: we were about to close.
    case .lingering(let reason, _): finish(reason)
    case .open, .closing: finish(.failed(errno))
    case .closed: break
    }
  }
}
