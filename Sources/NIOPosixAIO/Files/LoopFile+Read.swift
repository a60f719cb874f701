#if NIO
  public import NIOCore
  public import PosixAIO
  internal import SystemPackage

  /// Reads.
  extension LoopFile {
    /// The default limit of bytes for reading a file to its end: 16 MiB.
    public static let defaultSizeLimit = 16 * 1024 * 1024

    /// The most bytes of one read: 4 GiB - 1, which is what a `ByteBuffer` holds.
    public static let chunkLengthLimit = Int(UInt32.max)

    /// Reads bytes. Data in the page cache is read on the loop (`preadv2(2)` with `RWF_NOWAIT`),
    /// other data by `aio_read(3)`.
    ///
    /// The loop looks at its sockets after at most 8 cached reads, or 128 KiB; further ones wait
    /// for that. Reads of more than 256 KiB never copy on the loop.
    ///
    /// - Parameters:
    ///   - offset: In bytes from the start of the file, 0 or more.
    ///   - length: The most bytes to read, 0 to ``chunkLengthLimit``; less than 0 traps.
    ///   - timeout: The longest time to wait for the disk, more than 0; other values trap. After it
    ///     the read fails with `ETIMEDOUT`.
    /// - Returns: A future of the bytes: fewer than `length` at the end of the file, none after it.
    ///   It fails with `EINVAL` for a negative offset, for one that exceeds `Int64.max` together
    ///   with the length, and for a length over the limit.
    public func readChunk(
      fromAbsoluteOffset offset: Int64, length: Int, timeout: TimeAmount? = nil
    ) -> EventLoopFuture<ByteBuffer> {
      Self.check(timeout)
      return owner.future(FileCall(.read, path, at: offset)) { [self] done in
        startRead(Cancellation(), at: offset, length, timeout, done)
      }
    }

    /// Reads bytes. If the page cache has them and the task runs on the loop, it does not leave the
    /// loop, and usually is not suspended. The form that returns a future says more.
    ///
    /// - Parameters:
    ///   - offset: In bytes from the start of the file, 0 or more.
    ///   - length: The most bytes to read, 0 to ``chunkLengthLimit``; less than 0 traps.
    ///   - timeout: The longest time to wait for the disk, more than 0; other values trap. After it
    ///     the read fails with `ETIMEDOUT`.
    /// - Returns: The bytes: fewer than `length` at the end of the file, none after it.
    /// - Throws: `EINVAL` for a negative offset, for one that exceeds `Int64.max` together with the
    ///   length, and for a length over the limit; and the errors of `read(2)`.
    nonisolated(nonsending) public func readChunk(
      fromAbsoluteOffset offset: Int64, length: Int, timeout: TimeAmount? = nil
    ) async throws(FileError) -> ByteBuffer {
      Self.check(timeout)
      if let buffer = await cachedChunk(at: offset, length) { return buffer }
      return try await owner.outcome(FileCall(.read, path, at: offset)) { [self] in
        startUncachedRead($0, at: offset, length, timeout, $1)
      }
    }

    /// Whether it traps must not depend on what the page cache has.
    private static func check(_ timeout: TimeAmount?) {
      require(timeout ?? .seconds(1) > .zero, "LoopFile: a timeout is more than 0")
    }

    /// Reads from the page cache, if the task is on the loop, in this turn or in a later one.
    ///
    /// - Returns: Nil if the page cache does not have all.
    nonisolated(nonsending) func cachedChunk(at offset: Int64, _ length: Int) async -> ByteBuffer? {
      guard owner.isCurrent, triesCache(length), !Task.isCancelled else { return nil }
      if !owner.mayReadCached(length) {
        await owner.nextTurn(length, of: self)
        guard owner.isCurrent, !Task.isCancelled else { return nil }
      }
      return readNow(at: offset, length)
    }

    /// Whether a read of this size copies from the page cache on the loop.
    private func triesCache(_ length: Int) -> Bool {
      queued.isReadFromCache && length > 0 && length <= CachedReadTurn.readByteLimit
    }

    private func readNow(at offset: Int64, _ length: Int) -> ByteBuffer? {
      queued.readBufferFromCache(length, at: offset, owner.memory)
    }

    /// Starts a read on the loop.
    func startRead(
      _ cancellation: Cancellation, at offset: Int64, _ length: Int, _ timeout: TimeAmount?,
      _ done: @escaping Completion<ByteBuffer>
    ) {
      let readInTurn = { [self] in
        if !cancellation.isCanceled, let buffer = readNow(at: offset, length) {
          return done(.success(buffer))
        }
        startUncachedRead(cancellation, at: offset, length, timeout, done)
      }
      if !triesCache(length) {
        startUncachedRead(cancellation, at: offset, length, timeout, done)
      } else if owner.mayReadCached(length) {
        readInTurn()
      } else {
        owner.afterTurn(length, of: self, readInTurn)
      }
    }

    /// Starts a read that the page cache could not serve.
    private func startUncachedRead(
      _ cancellation: Cancellation, at offset: Int64, _ length: Int, _ timeout: TimeAmount?,
      _ done: @escaping Completion<ByteBuffer>
    ) {
      require(length >= 0, "LoopFile: the length of a read is 0 or more bytes")
      let call = FileCall(.read, path, at: offset)
      guard !cancellation.isCanceled else { return done(.failure(call.error(.canceled))) }
      guard length > 0 else { return done(.success(ByteBuffer())) }
      let padding = queued.isDirect ? ByteBuffer.mostPadding : 0
      guard length <= Self.chunkLengthLimit - padding else {
        return done(.failure(call.error(.invalidArgument)))
      }
      do throws(Errno) {
        let request = try queued.readBufferFromDisk(
          length, at: offset, timeout: timeout.map { .nanoseconds($0.nanoseconds) }, owner.memory,
          done)
        cancellation.stops(request, of: owner.queue)
      } catch {
        done(.failure(call.error(error)))
      }
    }

    // MARK: - To the end

    /// Reads all bytes from an offset to the end of the file, wherever that is by then. So it works
    /// for files of `/proc`, whose size is reported as 0, and for files that grow or shrink
    /// meanwhile.
    ///
    /// - Parameters:
    ///   - offset: In bytes from the start of the file, 0 or more.
    ///   - maximumSizeAllowed: The most bytes, 0 or more. A `ByteBuffer` holds less than 4 GiB, so
    ///     more than that less 128 KiB are never allowed.
    /// - Returns: A future of the bytes. It fails with `EFBIG` if there are more bytes than
    ///   allowed, with `EISDIR` for a directory, and with `EINVAL` for a pipe, a socket or a
    ///   device.
    public func readToEnd(
      fromAbsoluteOffset offset: Int64 = 0, maximumSizeAllowed: Int = defaultSizeLimit
    ) -> EventLoopFuture<ByteBuffer> {
      let call = FileCall(.read, path, at: offset)
      return owner.future(call) { [self] done in
        owner.steps(call, done) { [self] () throws(FileError) in
          try await readToEnd(fromAbsoluteOffset: offset, maximumSizeAllowed: maximumSizeAllowed)
        }
      }
    }

    /// Reads all bytes from an offset to the end of the file, wherever that is by then. The form
    /// that returns a future says more.
    ///
    /// - Parameters:
    ///   - offset: In bytes from the start of the file, 0 or more.
    ///   - maximumSizeAllowed: The most bytes, 0 or more.
    /// - Returns: The bytes.
    /// - Throws: `EFBIG` if there are more bytes than allowed, `EISDIR` for a directory, `EINVAL`
    ///   for a pipe, a socket or a device, and the errors of ``info()->FileStatus`` and
    ///   ``readChunk(fromAbsoluteOffset:length:timeout:)->ByteBuffer``.
    nonisolated(nonsending) public func readToEnd(
      fromAbsoluteOffset offset: Int64 = 0, maximumSizeAllowed: Int = defaultSizeLimit
    ) async throws(FileError) -> ByteBuffer {
      require(maximumSizeAllowed >= 0, "LoopFile: maximumSizeAllowed is 0 or more")
      // So that a piece after the allowed bytes still fits in a buffer.
      let mostAllowed = min(maximumSizeAllowed, Self.chunkLengthLimit - 2 * Self.pieceByteCount)
      let status = try await info()
      guard status.kind != .directory else { throw failedRead(.isDirectory, at: offset) }
      guard status.kind == .regular else { throw failedRead(.invalidArgument, at: offset) }
      let known = status.byteCount - min(max(offset, 0), status.byteCount)
      guard known <= mostAllowed else { throw failedRead(.fileTooLarge, at: offset) }
      // One more byte than expected, so that the same read finds the end.
      let first = known == 0 ? min(Self.pieceByteCount, mostAllowed + 1) : Int(known) + 1
      var whole = try await readChunk(fromAbsoluteOffset: offset, length: first)
      if whole.readableBytes > 0, whole.readableBytes == Int(known) { return whole }
      var piece = whole.readableBytes
      while piece > 0 {
        guard whole.readableBytes <= mostAllowed else {
          throw failedRead(.fileTooLarge, at: offset)
        }
        var next = try await readChunk(
          fromAbsoluteOffset: offset + Int64(whole.readableBytes),
          length: min(Self.pieceByteCount, mostAllowed + 1))
        piece = whole.writeBuffer(&next)
      }
      return whole
    }

    /// The size of a read after the known size.
    private static let pieceByteCount = 64 * 1024

    private func failedRead(_ errno: Errno, at offset: Int64) -> FileError {
      FileError(operation: .read, path: path, offset: offset, errno: errno)
    }
  }
#endif
