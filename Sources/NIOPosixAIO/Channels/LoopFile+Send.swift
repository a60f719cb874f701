#if NIO
  public import NIOCore
  internal import PosixAIO

  extension LoopFile {
    /// Sends bytes of the file to a channel as fast as it takes them.
    ///
    /// What the page cache has goes to the socket without a copy, as `FileRegion`s of up to 256
    /// KiB, one at a time. Everything else is read in chunks of 128 KiB, of which two are in memory
    /// at most, so the event loop does not wait for the disk. A range of up to 16 KiB is one
    /// buffer. Files that are not regular ones of a local file system are always read.
    ///
    /// NIO calls `sendfile(2)` for the rest of a region when the socket has room again. If the
    /// kernel drops its pages in between, which takes a slow client and memory that is short, the
    /// loop waits for the disk to read up to 256 KiB. If the kernel does not tell this process what
    /// is cached, everything is copied: before Linux 6.5, and since 6.14 for files that it neither
    /// owns nor may write to.
    ///
    /// The send follows earlier writes on the channel and flushes. Write nothing else until it
    /// ends. Neither the channel nor the file is closed, with one exception: if the file is
    /// truncated below a region that the channel has, the send fails and closes the channel, since
    /// NIO has no other way to take the region back. A ``close()->()`` of the file waits for the
    /// send.
    ///
    /// Traps for a channel of another event loop, and for a negative offset.
    ///
    /// - Parameters:
    ///   - range: In bytes from the start of the file, all of which must exist. Nil sends the file
    ///     up to its size at the start.
    ///   - channel: Of the file's event loop. Its pipeline takes `IOData`.
    ///   - allowsFileRegions: False for a channel with handlers that need the bytes, such as TLS or
    ///     HTTP/2, which trap or fail for a `FileRegion`.
    /// - Returns: The number of bytes, when the kernel has taken them all; otherwise a
    ///   ``FileTransferError``. When the loop ends, the send fails with the channel's error, or
    ///   `ECANCELED` for a read in progress.
    public func send(
      _ range: Range<Int64>? = nil, to channel: any Channel, allowsFileRegions: Bool = true
    ) -> EventLoopFuture<Int64> {
      send(
        range, to: channel, followedBy: nil as IOData?, allowsFileRegions: allowsFileRegions
      ) { $0 }
    }

    /// As ``send(_:to:allowsFileRegions:)->Int64``, for a channel whose pipeline takes another
    /// type, such as the parts of an HTTP response.
    ///
    /// ```swift
    /// channel.write(HTTPServerResponsePart.head(head), promise: nil)
    /// file.send(to: channel, followedBy: .end(nil)) { HTTPServerResponsePart.body($0) }
    /// ```
    ///
    /// - Parameters:
    ///   - range: In bytes from the start of the file, all of which must exist. Nil sends the file
    ///     up to its size at the start.
    ///   - channel: Of the file's event loop.
    ///   - last: Written after the last bytes, with the same flush. Not written if the send fails.
    ///   - allowsFileRegions: False for a channel with handlers that need the bytes.
    ///   - wrap: Makes a message of some bytes. Called on the event loop.
    public func send<Message: Sendable>(
      _ range: Range<Int64>? = nil, to channel: any Channel, followedBy last: Message?,
      allowsFileRegions: Bool = true, as wrap: @escaping @Sendable (IOData) -> Message
    ) -> EventLoopFuture<Int64> {
      transfer(.read, starting(range, to: channel, last, allowsFileRegions, wrap, nil))
    }

    /// As ``send(_:to:followedBy:allowsFileRegions:as:)->Int64``, from the place of a handler in
    /// the pipeline instead of its end. Call it on the event loop.
    ///
    /// - Parameters:
    ///   - range: In bytes from the start of the file, all of which must exist. Nil sends the file
    ///     up to its size at the start.
    ///   - context: The context of a handler. The messages go to the handlers before it.
    ///   - last: Written after the last bytes, with the same flush. Not written if the send fails.
    ///   - allowsFileRegions: False for a channel with handlers that need the bytes.
    ///   - wrap: Makes a message of some bytes.
    public func send<Message>(
      _ range: Range<Int64>? = nil, through context: ChannelHandlerContext,
      followedBy last: Message?, allowsFileRegions: Bool = true,
      as wrap: @escaping (IOData) -> Message
    ) -> EventLoopFuture<Int64> {
      startSend(range, Outlet(context, followedBy: last, wrap), allowsFileRegions, nil)
    }

    /// As ``send(_:to:allowsFileRegions:)->Int64``.
    ///
    /// - Returns: The number of bytes, when the kernel has taken them all.
    /// - Throws: ``FileTransferError``. If the task is cancelled, its reason is
    ///   ``FileTransferError/Reason/canceled``, and the channel still sends the bytes that it has;
    ///   close it if they are not to be sent.
    nonisolated(nonsending) public func send(
      _ range: Range<Int64>? = nil, to channel: any Channel, allowsFileRegions: Bool = true
    ) async throws -> Int64 {
      try await send(
        range, to: channel, followedBy: nil as IOData?, allowsFileRegions: allowsFileRegions
      ) { $0 }
    }

    /// As ``send(_:to:followedBy:allowsFileRegions:as:)->Int64``.
    ///
    /// - Returns: The number of bytes, when the kernel has taken them all.
    /// - Throws: As ``send(_:to:allowsFileRegions:)->Int64``.
    nonisolated(nonsending) public func send<Message: Sendable>(
      _ range: Range<Int64>? = nil, to channel: any Channel, followedBy last: Message?,
      allowsFileRegions: Bool = true, as wrap: @escaping @Sendable (IOData) -> Message
    ) async throws -> Int64 {
      guard !Task.isCancelled else { throw FileTransferError(.canceled, byteCountDone: 0) }
      let cancellation = SendCancellation()
      let start = starting(range, to: channel, last, allowsFileRegions, wrap, cancellation)
      return try await withTaskCancellationHandler {
        try await transferred(.read, start)
      } onCancel: {
        cancellation.cancel()
      }
    }

    /// - Returns: Starts a send on the loop.
    private func starting<Message: Sendable>(
      _ range: Range<Int64>?, to channel: any Channel, _ last: Message?, _ allowsFileRegions: Bool,
      _ wrap: @escaping @Sendable (IOData) -> Message, _ cancellation: SendCancellation?
    ) -> @Sendable () -> EventLoopFuture<Int64> {
      require(
        channel.eventLoop === eventLoop, "LoopFile: a channel must be of the file's event loop")
      return { [self] in
        startSend(
          range, Outlet(channel, followedBy: last, wrap), allowsFileRegions, cancellation)
      }
    }

    private func startSend(
      _ range: Range<Int64>?, _ outlet: Outlet, _ allowsFileRegions: Bool,
      _ cancellation: SendCancellation?
    ) -> EventLoopFuture<Int64> {
      require(
        outlet.eventLoop === eventLoop, "LoopFile: a channel must be of the file's event loop")
      require((range?.lowerBound ?? 0) >= 0, "LoopFile: an offset must be 0 or more")
      let promise = eventLoop.makePromise(of: Int64.self)
      guard let range, (1...SendLimits.smallRangeByteCount).contains(Int64(range.count)),
        queued.isReadFromCache
      else {
        startSender(range, outlet, allowsFileRegions, cancellation, promise)
        return promise.futureResult
      }
      let sendInTurn = { [self] in
        if !sendFromCache(range, outlet, promise) {
          startSender(range, outlet, allowsFileRegions, cancellation, promise)
        }
      }
      if owner.mayReadCached(range.count) {
        sendInTurn()
      } else {
        owner.afterTurn(range.count, of: self, sendInTurn)
      }
      return promise.futureResult
    }

    /// Starts a send of several pieces. What may wait for a server, asking for the file's status
    /// and sending without a copy, does not happen on the loop.
    private func startSender(
      _ range: Range<Int64>?, _ outlet: Outlet, _ allowsFileRegions: Bool,
      _ cancellation: SendCancellation?, _ promise: EventLoopPromise<Int64>
    ) {
      let start = { [self] (known: FileStatus?) throws(FileError) in
        let sender = try FileSender(
          self, known, range, to: outlet, allowsRegions: allowsFileRegions && known == nil, promise)
        cancellation?.started(sender, on: owner)
        sender.advance()
      }
      let fail = { promise.fail(FileTransferError(.file($0), byteCountDone: 0)) }
      guard !isLocal else {
        do throws(FileError) { try start(nil) } catch { fail(error) }
        return
      }
      let onLoop = NIOLoopBound((start, fail), eventLoop: eventLoop)
      startInfo { result in
        let (start, fail) = onLoop.value
        do throws(FileError) { try start(try result.get()) } catch { fail(error) }
      }
    }

    /// Sends a small range as one buffer.
    ///
    /// - Returns: False if the page cache does not have the whole range. Then nothing was started.
    private func sendFromCache(
      _ range: Range<Int64>, _ outlet: Outlet, _ promise: EventLoopPromise<Int64>
    ) -> Bool {
      let byteCount = range.count
      let buffer = queued.readBufferFromCache(byteCount, at: range.lowerBound, owner.memory)
      guard let buffer, buffer.readableBytes == byteCount else { return false }
      let written = eventLoop.makePromise(of: Void.self)
      written.futureResult.whenComplete { result in
        promise.completeWith(
          result.map { Int64(byteCount) }
            .mapError { FileTransferError(.channel($0), byteCountDone: 0) })
      }
      outlet.write(.byteBuffer(buffer), true, written)
      return true
    }
  }
#endif
