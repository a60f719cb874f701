internal import PosixAIO
public import Reactor

// For tasks on the thread of the loop.
extension HTTPServer.RequestBody {
  /// The bytes of the body as they arrive, for one task at a time. Bytes are read only when
  /// requested.
  public var chunks: Chunks { Chunks(body: self) }

  /// The bytes of a body.
  public struct Chunks: AsyncSequence {
    let body: HTTPServer.RequestBody

    /// Returns an iterator.
    public func makeAsyncIterator() -> Iterator { Iterator(body: body) }

    /// The iterator over the bytes of a body.
    public struct Iterator: AsyncIteratorProtocol {
      let body: HTTPServer.RequestBody

      /// Returns the next bytes; nil at the end.
      ///
      /// - Throws: The failure of the body.
      public mutating func next(
        isolation actor: isolated (any Actor)?
      ) async throws(HTTPServer.RequestBody.Failure) -> [UInt8]? {
        try await body.next()
      }
    }
  }

  /// Waits for the next bytes; see ``next(_:)``. If the task is cancelled, the body fails: this
  /// call and later reads throw ``Failure/connectionClosed(_:)`` with
  /// ``/Reactor/Connection/CloseReason/local``.
  nonisolated(nonsending) public func next() async throws(Failure) -> [UInt8]? {
    let pending = Promise<[UInt8]?, Failure>(on: core)
    next { pending.finish($0) }
    return try await pending.value { [self] in giveUp() }
  }

  /// Waits for the whole body; see ``readAll(upTo:_:)``.
  nonisolated(nonsending) public func readAll(upTo limit: Int) async throws(Failure) -> [UInt8] {
    require(limit >= 0, "RequestBody: the limit of readAll is 0 or more")
    let pending = Promise<[UInt8], Failure>(on: core)
    readAll(upTo: limit) { pending.finish($0) }
    return try await pending.value { [self] in giveUp() }
  }

  /// Writes the body to a file; see ``write(to:at:durably:configuration:_:)``. If the task is
  /// cancelled, the write stops with ``/Reactor/PumpError/Reason/canceled``.
  @discardableResult
  nonisolated(nonsending) public func write(
    to file: File, at offset: Int64 = 0, durably: Bool = false,
    configuration: FileWriter.Configuration = FileWriter.Configuration()
  ) async throws(PumpError) -> Int64 {
    let pending = Promise<Int64, PumpError>(on: core)
    let pump = write(to: file, at: offset, durably: durably, configuration: configuration) {
      pending.finish($0)
    }
    return try await pending.value { pump.cancel() }
  }
}

extension HTTPServer.RequestBody {
  /// Writes the rest of the body to a file. The client is slowed down to the speed of the file.
  ///
  /// - Parameters:
  ///   - file: A file of the same loop, open for writing; one of another loop traps. It stays open.
  ///   - offset: The offset in the file, in bytes, 0 or more.
  ///   - durably: Whether the bytes are synced to the disk before `handler` is called.
  ///   - configuration: How many bytes are collected for a write, and how many may wait.
  ///   - handler: Called once, when all bytes are in the file, or with the error and the number of
  ///     bytes written before it. ``failure`` tells why a body is incomplete.
  /// - Returns: The pump, which can be cancelled.
  @discardableResult
  public func write(
    to file: File, at offset: Int64 = 0, durably: Bool = false,
    configuration: FileWriter.Configuration = FileWriter.Configuration(),
    _ handler: @escaping Pump.Handler
  ) -> Pump {
    pumpBegins()
    return Pump(
      from: self, to: file, byteCount: nil, at: offset, durably: durably,
      configuration: configuration
    ) { [self] result in
      pumpEnded()
      handler(result)
    }
  }
}
