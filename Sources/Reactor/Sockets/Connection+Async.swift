public import PosixAIO
internal import SystemPackage

// For tasks on the loop's thread. A task reads when it wants to: as long as nobody asks, bytes
// arrive up to the high-water mark, and then the peer is held up.
//
// After ``Connection/close()`` or ``Connection/abort(resetting:)`` of this side what waits gets
// ECANCELED, after a time-out ETIMEDOUT, after an error its errno.
extension Connection {
  /// Connects to a host; see ``connect(to:port:on:timeout:configuration:_:)``. A cancelled task
  /// gets `ECANCELED`.
  nonisolated(nonsending) public static func connect(
    to host: String, port: UInt16, on loop: EventLoop, timeout: Duration = .seconds(30),
    configuration: Configuration = Configuration()
  ) async throws(SocketError) -> Connection {
    try checkAwaitable(loop.core, .connect, "\(host):\(port)")
    let pending = Pending<Connection, SocketError>(on: loop.core)
    let attempt = connect(
      to: host, port: port, on: loop, timeout: timeout, configuration: configuration
    ) { pending.finish($0) }
    return try await pending.value { attempt.cancel() }
  }

  /// Connects to an address; see ``connect(to:on:timeout:configuration:_:)``. A cancelled task gets
  /// `ECANCELED`.
  nonisolated(nonsending) public static func connect(
    to address: SocketAddress, on loop: EventLoop, timeout: Duration = .seconds(30),
    configuration: Configuration = Configuration()
  ) async throws(SocketError) -> Connection {
    try checkAwaitable(loop.core, .connect, "\(address)")
    let pending = Pending<Connection, SocketError>(on: loop.core)
    let attempt = connect(
      to: address, on: loop, timeout: timeout, configuration: configuration
    ) { pending.finish($0) }
    return try await pending.value { attempt.cancel() }
  }

  /// Waits for bytes, and takes those that are there.
  ///
  /// Not with ``onReceive``, and by one task at a time.
  ///
  /// - Parameter byteCount: The most bytes to take, 1 or more; all unless set.
  /// - Returns: 1 byte or more; nil behind the end of input.
  /// - Throws: Why there will be none. What arrived before an error comes first.
  nonisolated(nonsending) public func read(
    atMost byteCount: Int = .max
  ) async throws(SocketError) -> [UInt8]? {
    require(byteCount > 0, "Connection: a read takes 1 byte or more")
    try await waitForInput()
    var bytes: [UInt8]?
    try takeInput(atMost: byteCount) { input in
      bytes = unsafe input.withUnsafeBytes { unsafe Array($0) }
    }
    return bytes
  }

  /// Waits for bytes, and appends those that are there to the valid ones of a buffer.
  ///
  /// - Parameter buffer: Moves in, with room for 1 byte or more; comes back.
  /// - Returns: The buffer; unchanged after the end of input.
  /// - Throws: As ``read(atMost:)``. The buffer is gone.
  nonisolated(nonsending) public func read(
    appendingTo buffer: consuming IOBuffer
  ) async throws(SocketError) -> IOBuffer {
    let room = buffer.freeCapacity
    require(room > 0, "Connection: the buffer has no room for a byte")
    try await waitForInput()
    try takeInput(atMost: room) { buffer.append($0) }
    return buffer
  }

  /// Sends bytes, and waits if a lot is waiting: until ``isCongested`` ends.
  ///
  /// A cancelled task does not wait, and gets `ECANCELED`; the bytes are sent all the same, unless
  /// it was cancelled before.
  ///
  /// - Parameter bytes: Copied.
  /// - Throws: As the callback form, `EPIPE` or `ENOBUFS`, and then nothing of it is sent; or what
  ///   ended the connection.
  nonisolated(nonsending) public func write(
    _ bytes: some Collection<UInt8>
  ) async throws(SocketError) {
    try await start(.write) { () throws(Errno) in try write(bytes) }
    try await drain()
  }

  /// As ``write(_:)``, for a buffer's valid bytes, which are not copied.
  nonisolated(nonsending) public func write(
    _ buffer: consuming IOBuffer
  ) async throws(SocketError) {
    var buffer: IOBuffer? = consume buffer
    try await start(.write) { () throws(Errno) in
      // Given two lines above.
      guard let bytes = buffer.take() else { return }
      try write(bytes)
    }
    try await drain()
  }

  /// Waits until the kernel has everything that was written.
  ///
  /// - Throws: What ended the connection before.
  nonisolated(nonsending) public func flush() async throws(SocketError) {
    try await waitForOutput(inMemory: nil)
  }

  /// Sends what is waiting and closes, as the callback form, and waits for that. A cancellation
  /// does not shorten it; ``Configuration/closeTimeout`` and ``Configuration/lingerTimeout`` bound
  /// it.
  ///
  /// - Returns: Why the connection is closed.
  @discardableResult
  nonisolated(nonsending) public func close() async -> CloseReason {
    checkThread()
    if let endReason { return endReason }
    let pending = Pending<CloseReason, Never>(on: core)
    closers.append(pending)
    endGracefully(.local)
    return await pending.value {}
  }

  /// The bytes that arrive, as they arrive, up to the end of input. By one task at a time.
  public var chunks: Chunks { Chunks(connection: self) }

  /// The bytes of a connection.
  public struct Chunks: AsyncSequence, Sendable {
    let connection: Connection

    /// Begins to read.
    public func makeAsyncIterator() -> Iterator { Iterator(connection: connection) }

    /// Reads from a connection.
    public struct Iterator: AsyncIteratorProtocol, Sendable {
      let connection: Connection

      /// As ``Connection/read(atMost:)``.
      public mutating func next(
        isolation actor: isolated (any Actor)?
      ) async throws(SocketError) -> [UInt8]? {
        try await connection.read()
      }

      /// As ``next(isolation:)``, where the caller runs.
      nonisolated(nonsending) public mutating func next() async throws(SocketError) -> [UInt8]? {
        try await connection.read()
      }
    }
  }

  // MARK: - Waiting

  private static func checkAwaitable(
    _ core: LoopCore, _ operation: SocketError.Operation, _ peer: String
  ) throws(SocketError) {
    do throws(Errno) {
      try core.checkUse()
    } catch {
      throw SocketError(operation, peer, error)
    }
  }

  private func error(_ operation: SocketError.Operation, _ errno: Errno) -> SocketError {
    SocketError(operation, "\(peerAddress)", errno)
  }

  nonisolated(nonsending) private func start(
    _ operation: SocketError.Operation, _ body: () throws(Errno) -> Void
  ) async throws(SocketError) {
    do throws(Errno) {
      guard !Task.isCancelled else { throw .canceled }
      try body()
    } catch {
      throw self.error(operation, error)
    }
  }

  /// Why there is nothing to wait for; nil when there is, or when both sides have ended.
  private var endErrno: Errno? {
    switch state {
    case .open, .closed(.endOfInput): nil
    case .closing, .lingering, .closed(.local): .canceled
    case .closed(.timedOut): .timedOut
    case .closed(.failed(let errno)): errno
    }
  }

  nonisolated(nonsending) private func waitForInput() async throws(SocketError) {
    checkThread()
    guard !core.hasEnded else { throw error(.read, .canceled) }
    require(
      onReceiveHandler == nil, "Connection: bytes go to onReceive or to a reader, not to both")
    require(reader == nil, "Connection: one task reads at a time")
    guard !Task.isCancelled else { throw error(.read, .canceled) }
    guard isInUse, input == .open, stream.inputByteCount == 0 else { return }
    try await wait(.read) { [self] in
      reader = nil
      updateTimeouts()
    } until: { resume in
      reader = resume
      updateTimeouts()
    }
  }

  /// Takes what is there, if it is not the end of input.
  private func takeInput(
    atMost byteCount: Int, _ take: (RawSpan) -> Void
  ) throws(SocketError) {
    if !leftInput.isEmpty {
      let count = min(byteCount, leftInput.count)
      unsafe take(leftInput.span.bytes.extracting(first: count))
      return leftInput.removeFirst(count)
    }
    if let endErrno { throw error(.read, endErrno) }
    guard stream.inputByteCount > 0 else {
      if isInUse, input == .ended { noteEndOfInput() }
      return
    }
    let count = min(byteCount, stream.inputByteCount)
    stream.withInput { take($0.extracting(first: count)) }
    stream.takeInput(count)
    updateReading()
  }

  nonisolated(nonsending) private func drain() async throws(SocketError) {
    guard hasTooMuchOutput else { return }
    try await waitForOutput(inMemory: configuration.outputLowWaterByteCount)
  }

  nonisolated(nonsending) private func waitForOutput(
    inMemory byteCount: Int?
  ) async throws(SocketError) {
    checkThread()
    guard !Task.isCancelled else { throw error(.write, .canceled) }
    if isInUse, !hasSent(downTo: byteCount) {
      // A writer that was cancelled stays until its time comes, and is not resumed then.
      try await wait(.write, cancel: {}) { writers.append((byteCount, $0)) }
    }
    // Sent, or the connection has ended before.
    if let endErrno { throw error(.write, endErrno) }
    if output == .broken { throw error(.write, .brokenPipe) }
  }

  /// Waits until what `start` is given is called, or the task is cancelled.
  nonisolated(nonsending) private func wait(
    _ operation: SocketError.Operation, cancel: @escaping () -> Void,
    until start: (_ resume: @escaping () -> Void) -> Void
  ) async throws(SocketError) {
    let pending = Pending<Void, SocketError>(on: core)
    var isWaiting = true
    start {
      guard isWaiting else { return }
      isWaiting = false
      pending.finish(.success(()))
    }
    try await pending.value { [self] in
      guard isWaiting else { return }
      isWaiting = false
      cancel()
      pending.finish(.failure(error(operation, .canceled)))
    }
  }
}
