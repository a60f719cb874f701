public import PosixAIO
internal import SystemPackage

// For tasks on the loop's thread. A task reads when it wants to: between reads, bytes arrive up to
// the high-water mark, and then the peer is held up.
//
// Waiting calls get ECANCELED after this side's ``Connection/close()`` or
// ``Connection/abort(resetting:)``, ETIMEDOUT after a timeout, and the errno after an error.
extension Connection {
  /// Connects to a host; see ``connect(to:port:on:timeout:configuration:_:)``. In a cancelled task
  /// it starts nothing and throws `ECANCELED`.
  nonisolated(nonsending) public static func connect(
    to host: String, port: UInt16, on loop: EventLoop, timeout: Duration = .seconds(30),
    configuration: Configuration = Configuration()
  ) async throws(SocketError) -> Connection {
    try checkAwaitable(loop.core, .connect, "\(host):\(port)")
    let pending = Promise<Connection, SocketError>(on: loop.core)
    let attempt = connect(
      to: host, port: port, on: loop, timeout: timeout, configuration: configuration
    ) { pending.finish($0) }
    return try await pending.value { attempt.cancel() }
  }

  /// Connects to an address; see ``connect(to:on:timeout:configuration:_:)``. In a cancelled task
  /// it starts nothing and throws `ECANCELED`.
  nonisolated(nonsending) public static func connect(
    to address: SocketAddress, on loop: EventLoop, timeout: Duration = .seconds(30),
    configuration: Configuration = Configuration()
  ) async throws(SocketError) -> Connection {
    try checkAwaitable(loop.core, .connect, "\(address)")
    let pending = Promise<Connection, SocketError>(on: loop.core)
    let attempt = connect(
      to: address, on: loop, timeout: timeout, configuration: configuration
    ) { pending.finish($0) }
    return try await pending.value { attempt.cancel() }
  }

  /// Waits for bytes and takes those that have arrived.
  ///
  /// Use it without ``onReceive``, from one task at a time; otherwise it traps.
  ///
  /// - Parameter byteCount: The most bytes to take, 1 or more. The default takes all.
  /// - Returns: 1 byte or more; nil at the end of input.
  /// - Throws: Why no more bytes will come, as a ``SocketError``: `ECANCELED` when the task is
  ///   cancelled or this side has closed, `ETIMEDOUT` after a timeout, or the connection's errno.
  ///   Bytes that arrived before an error are returned first.
  nonisolated(nonsending) public func read(
    atMost byteCount: Int = .max
  ) async throws(SocketError) -> [UInt8]? {
    require(byteCount > 0, "Connection: a read must take 1 byte or more")
    try await waitForInput()
    var bytes: [UInt8]?
    try takeInput(atMost: byteCount) { input in
      bytes = unsafe input.withUnsafeBytes { unsafe Array($0) }
    }
    return bytes
  }

  /// Waits for bytes and appends those that have arrived to a buffer's valid bytes.
  ///
  /// - Parameter buffer: Moves in and comes back. It needs room for 1 byte or more.
  /// - Returns: The buffer, unchanged at the end of input.
  /// - Throws: As ``read(atMost:)``. The buffer is lost.
  nonisolated(nonsending) public func read(
    appendingTo buffer: consuming IOBuffer
  ) async throws(SocketError) -> IOBuffer {
    let room = buffer.freeCapacity
    require(room > 0, "Connection: the buffer has no room for a byte")
    try await waitForInput()
    try takeInput(atMost: room) { buffer.append($0) }
    return buffer
  }

  /// Sends bytes. If the connection is congested, waits until ``isCongested`` is false.
  ///
  /// If the task is cancelled before the call, nothing is sent and `ECANCELED` is thrown. If it is
  /// cancelled while it waits, `ECANCELED` is thrown and the bytes are still sent.
  ///
  /// - Parameter bytes: Copied.
  /// - Throws: `EPIPE` or `ENOBUFS` as the callback form, when none of the bytes are sent; or the
  ///   reason that ended the connection.
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
      // Set two lines above.
      guard let bytes = buffer.take() else { return }
      try write(bytes)
    }
    try await drain()
  }

  /// Waits until the kernel has everything that was written.
  ///
  /// - Throws: The reason if the connection ended first; `ECANCELED` in a cancelled task.
  nonisolated(nonsending) public func flush() async throws(SocketError) {
    try await waitForOutput(inMemory: nil)
  }

  /// Sends the waiting output, closes and waits for that; see the callback form. Cancelling the
  /// task does not shorten it; ``Configuration/closeTimeout`` and ``Configuration/lingerTimeout``
  /// limit it.
  ///
  /// - Returns: Why the connection closed.
  @discardableResult
  nonisolated(nonsending) public func close() async -> CloseReason {
    checkThread()
    if let endReason { return endReason }
    let pending = Promise<CloseReason, Never>(on: core)
    closers.append(pending)
    endGracefully(.local)
    return await pending.value {}
  }

  /// The bytes as they arrive, up to the end of input. For one task at a time.
  public var chunks: Chunks { Chunks(connection: self) }

  /// The bytes of a connection.
  public struct Chunks: AsyncSequence, Sendable {
    let connection: Connection

    /// Starts reading.
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
      guard !Task.isCancelled else { throw .canceled }
    } catch {
      throw SocketError(operation, peer, error)
    }
  }

  func error(_ operation: SocketError.Operation, _ errno: Errno) -> SocketError {
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

  /// The error for a call that can no longer wait; nil when the connection is open or both sides
  /// have ended.
  var endErrno: Errno? {
    switch state {
    case .open, .closed(.endOfInput): nil
    case .closing, .lingering, .closed(.local): .canceled
    case .closed(.timedOut): .timedOut
    case .closed(.failed(let errno)): errno
    }
  }

  /// Traps if something else reads.
  func checkReader() {
    require(
      onReceiveHandler == nil, "Connection: bytes go to onReceive or to a reader, not to both")
    require(reader == nil, "Connection: one task reads at a time")
  }

  func checkAwaitingReader() throws(SocketError) {
    checkThread()
    guard !core.hasEnded else { throw error(.read, .canceled) }
    checkReader()
    guard !Task.isCancelled else { throw error(.read, .canceled) }
  }

  /// Waits for more than `byteCount` bytes of unread input, the end of input or the end of the
  /// connection.
  nonisolated(nonsending) func waitForInput(beyond byteCount: Int = 0) async throws(SocketError) {
    try checkAwaitingReader()
    guard isInUse, input == .open, socket.inputByteCount <= byteCount else { return }
    try await wait(.read) { [self] in
      reader = nil
      updateTimeouts()
      allowInput(of: 0)
    } until: { resume in
      reader = resume
      updateTimeouts()
    }
  }

  /// Takes the bytes that have arrived; does nothing at the end of input.
  private func takeInput(
    atMost byteCount: Int, _ take: (RawSpan) -> Void
  ) throws(SocketError) {
    if !leftInput.isEmpty {
      let count = min(byteCount, leftInput.count)
      unsafe take(leftInput.span.bytes.extracting(first: count))
      return leftInput.removeFirst(count)
    }
    if let endErrno { throw error(.read, endErrno) }
    guard socket.inputByteCount > 0 else {
      if isInUse, input == .ended { noteEndOfInput() }
      return
    }
    let count = min(byteCount, socket.inputByteCount)
    socket.withInput { take($0.extracting(first: count)) }
    socket.takeInput(count)
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
      let number = nextWriterNumber
      nextWriterNumber += 1
      try await wait(.write) { [self] in
        writers.removeAll { $0.number == number }
      } until: { resume in
        writers.append((number, byteCount, resume))
      }
    }
    // Either the output is sent, or the connection has ended.
    if let endErrno { throw error(.write, endErrno) }
    if output == .broken { throw error(.write, .brokenPipe) }
  }

  /// Waits until the closure passed to `start` is called, or the task is cancelled.
  nonisolated(nonsending) private func wait(
    _ operation: SocketError.Operation, cancel: @escaping () -> Void,
    until start: (_ resume: @escaping () -> Void) -> Void
  ) async throws(SocketError) {
    let pending = Promise<Void, SocketError>(on: core)
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
