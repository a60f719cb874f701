#if NIO
  public import NIOCore
  internal import PosixAIO
  internal import SystemPackage

  extension LoopFile {
    /// Writes a channel's input to the file as fast as the file takes it.
    ///
    /// A handler at the end of the channel's pipeline takes the `ByteBuffer`s that arrive there,
    /// and is removed at the end. It reads from the channel while less than 1 MiB, in fewer than 64
    /// buffers, is being written; otherwise it holds the reads back, those of `autoRead` too, and
    /// so the peer. Neither the channel nor the file is closed.
    ///
    /// Traps for a channel of another event loop, and for a negative offset or byte count.
    ///
    /// - Parameters:
    ///   - channel: Of the file's event loop. It need not be active yet.
    ///   - byteCount: The number of bytes, 0 or more; if fewer arrive, the transfer fails. Input
    ///     after them passes the handler. Nil takes all input until the peer ends its side.
    ///   - offset: The offset of the first byte, in bytes from the file's start, 0 or more. A file
    ///     opened with `O_APPEND` ignores it.
    ///   - durably: Whether the bytes must be on the disk at the end.
    /// - Returns: The number of bytes when all of them are in the file; otherwise a
    ///   ``FileTransferError``, after the writes in progress have ended. It is a failure with the
    ///   channel's error if the channel fails, with `ChannelError.ioOnClosedChannel` if the channel
    ///   is closed here, also by the end of its loop, and with `ECANCELED` if a write has not ended
    ///   by then. If a handler closes the channel through its own context, that looks like the
    ///   peer's end: pass `byteCount` if you have such handlers.
    public func receive(
      from channel: any Channel, byteCount: Int64? = nil, at offset: Int64 = 0,
      durably: Bool = false
    ) -> EventLoopFuture<Int64> {
      require(
        channel.eventLoop === eventLoop, "LoopFile: a channel must be of the file's event loop")
      require((byteCount ?? 0) >= 0, "LoopFile: a number of bytes must be 0 or more")
      require(offset >= 0, "LoopFile: an offset must be 0 or more")
      return transfer(.write) { [self] in
        startReceive(from: channel, byteCount, FileReceiver(self, at: offset, durably: durably))
      }
    }

    private func startReceive(
      from channel: any Channel, _ byteCount: Int64?, _ receiver: FileReceiver
    ) -> EventLoopFuture<Int64> {
      let promise = eventLoop.makePromise(of: Int64.self)
      do {
        try channel.pipeline.syncOperations.addHandler(
          ReceivingHandler(receiver, byteCount: byteCount, promise))
      } catch {
        // The channel was closed before.
        promise.fail(FileTransferError(.channel(error), byteCountDone: 0))
      }
      return promise.futureResult
    }

    /// Writes buffers to the file in their order: a request's body, the inbound side of a
    /// `NIOAsyncChannel`, or any other sequence.
    ///
    /// The next buffer is asked for while less than 1 MiB, in fewer than 64 buffers, is being
    /// written.
    ///
    /// - Parameters:
    ///   - buffers: Read to the end.
    ///   - offset: The offset of the first byte, in bytes from the file's start, 0 or more; a
    ///     negative one traps. A file opened with `O_APPEND` ignores it.
    ///   - durably: Whether the bytes must be on the disk at the end.
    /// - Returns: The number of bytes, when all of them are in the file.
    /// - Throws: ``FileTransferError``, after the writes in progress have ended: with
    ///   ``FileTransferError/Reason/canceled`` if the task is cancelled, and with
    ///   ``FileTransferError/Reason/channel(_:)`` and the error of the sequence if it throws
    ///   another.
    nonisolated(nonsending) public func receive<Buffers: AsyncSequence>(
      from buffers: Buffers, at offset: Int64 = 0, durably: Bool = false
    ) async throws -> Int64 where Buffers.Element == ByteBuffer {
      let sink = BufferSink(self, at: offset, durably: durably)
      do {
        for try await buffer in buffers {
          guard try await sink.write(buffer) else { break }
        }
        // An asynchronous channel's sequence just ends when its task is cancelled.
        try Task.checkCancellation()
      } catch is CancellationError {
        return try await sink.finish(.canceled)
      } catch {
        return try await sink.finish(.channel(error))
      }
      return try await sink.finish(nil)
    }
  }

  extension LoopFile {
    /// Starts a transfer on the loop.
    ///
    /// - Parameters:
    ///   - operation: For the error after the loop's end.
    func transfer<Value: Sendable>(
      _ operation: FileError.Operation, _ start: @escaping @Sendable () -> EventLoopFuture<Value>
    ) -> EventLoopFuture<Value> {
      if owner.isCurrent { return start() }
      let future = owner.calls.way.whileOpen {
        let promise = eventLoop.makePromise(of: Value.self)
        eventLoop.execute { start().cascade(to: promise) }
        return promise.futureResult
      }
      return future ?? eventLoop.makeFailedFuture(transferError(afterTheEnd: operation))
    }

    /// Awaits a transfer. A future of the loop would never resume its caller after the loop's end.
    func transferred<Value: Sendable>(
      isolation: isolated (any Actor)? = #isolation, _ operation: FileError.Operation,
      _ start: @escaping @Sendable () -> EventLoopFuture<Value>
    ) async throws -> Value {
      let result: Result<Value, any Error> = await unsafe withUnsafeContinuation(
        isolation: isolation
      ) { continuation in
        let startOnLoop: @Sendable () -> Void = {
          start().assumeIsolated().whenComplete { unsafe continuation.resume(returning: $0) }
        }
        if owner.isCurrent {
          startOnLoop()
        } else if !owner.calls.way.execute(startOnLoop) {
          unsafe continuation.resume(
            returning: .failure(transferError(afterTheEnd: operation)))
        }
      }
      return try result.get()
    }

    private func transferError(afterTheEnd operation: FileError.Operation) -> FileTransferError {
      FileTransferError(
        .file(FileError(operation: operation, path: path, errno: .canceled)), byteCountDone: 0)
    }
  }

  /// A receiver for a task, which may run on any thread.
  ///
  /// Sendable: the receiver is used on the loop only.
  final class BufferSink: @unchecked Sendable {
    private let file: LoopFile
    private let receiver: FileReceiver

    init(_ file: LoopFile, at offset: Int64, durably: Bool) {
      self.file = file
      receiver = FileReceiver(file, at: offset, durably: durably)
    }

    /// Starts to write, and waits for room for the next buffer.
    ///
    /// - Returns: Whether more may follow. If not, a write has failed.
    nonisolated(nonsending) func write(_ buffer: ByteBuffer) async throws -> Bool {
      if file.owner.isCurrent {
        receiver.write(buffer)
        if receiver.failure != nil { return false }
        if receiver.hasRoom { return true }
        return try await file.transferred(.write) { [self] in room() }
      }
      return try await file.transferred(.write) { [self] in
        receiver.write(buffer)
        return room()
      }
    }

    private func room() -> EventLoopFuture<Bool> {
      let promise = file.eventLoop.makePromise(of: Bool.self)
      let answer = { [receiver] in
        receiver.onRoom = nil
        promise.succeed(receiver.failure == nil)
      }
      if receiver.hasRoom || receiver.failure != nil { answer() } else { receiver.onRoom = answer }
      return promise.futureResult
    }

    nonisolated(nonsending) func finish(
      _ reason: FileTransferError.Reason?
    ) async throws -> Int64 {
      try await file.transferred(.write) { [self] in
        let promise = file.eventLoop.makePromise(of: Int64.self)
        receiver.finish(reason) { promise.completeWith($0.mapError { $0 }) }
        return promise.futureResult
      }
    }
  }
#endif
