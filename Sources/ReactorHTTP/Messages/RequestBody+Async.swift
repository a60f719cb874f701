internal import PosixAIO
public import Reactor

// For tasks on the loop's thread.
extension HTTPServer.RequestBody {
  /// The body's bytes as they arrive, by one task at a time. What is not asked for is not read.
  public var chunks: Chunks { Chunks(body: self) }

  /// The bytes of a body.
  public struct Chunks: AsyncSequence {
    let body: HTTPServer.RequestBody

    /// Begins to read.
    public func makeAsyncIterator() -> Iterator { Iterator(body: body) }

    /// Reads a body.
    public struct Iterator: AsyncIteratorProtocol {
      let body: HTTPServer.RequestBody

      /// The next bytes; nil behind the last one.
      ///
      /// - Throws: Why there are none.
      public mutating func next(
        isolation actor: isolated (any Actor)?
      ) async throws(HTTPServer.RequestBody.Failure) -> [UInt8]? {
        try await body.next()
      }
    }
  }

  /// Waits for the next bytes; see ``next(_:)``. A cancelled task gives the body up: it gets
  /// ``Failure/connectionClosed(_:)`` with ``/Reactor/Connection/CloseReason/local``, and so does
  /// whoever reads it afterwards.
  nonisolated(nonsending) public func next() async throws(Failure) -> [UInt8]? {
    let pending = Promise<[UInt8]?, Failure>(on: core)
    next { pending.finish($0) }
    return try await pending.value { [self] in giveUp() }
  }

  /// Waits for the whole body; see ``readAll(upTo:_:)``.
  nonisolated(nonsending) public func readAll(upTo limit: Int) async throws(Failure) -> [UInt8] {
    require(limit >= 0, "RequestBody: a limit is 0 or more")
    let pending = Promise<[UInt8], Failure>(on: core)
    readAll(upTo: limit) { pending.finish($0) }
    return try await pending.value { [self] in giveUp() }
  }

  /// Writes the body to a file; see ``write(to:at:durably:configuration:_:)``. A cancelled task
  /// stops, and gets ``/Reactor/PumpError/Reason/canceled``.
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
  /// Writes what is left of the body to a file, as fast as that takes it.
  ///
  /// - Parameters:
  ///   - file: Of the same loop, open for writing. It stays open.
  ///   - offset: Where in the file, in bytes from its start, 0 or more.
  ///   - durably: Whether the bytes are to be on the disk in the end.
  ///   - configuration: How much is collected for a write, and how much may wait.
  ///   - handler: Called once, when everything is in the file: or with what got there before it
  ///     broke off. ``failure`` tells apart why the body was not whole.
  /// - Returns: The pump, to cancel it.
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
