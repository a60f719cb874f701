#if NIO
  public import NIOCore
  public import PosixAIO
  internal import SystemPackage

  /// Writes, and what makes them durable.
  extension LoopFile {
    /// Writes bytes, all of them. Wraps `aio_write(3)`. The bytes are not copied, except for a
    /// file that was opened with `O_DIRECT`, if the buffer's bytes do not begin at a page's start.
    ///
    /// - Parameters:
    ///   - buffer: Its readable bytes are written. You may change your copy of it meanwhile.
    ///   - offset: In bytes from the start of the file, 0 or more. Ignored for a file that was
    ///     opened with `.append`.
    ///   - timeout: The longest time to wait, more than 0. After it the write fails with
    ///     `ETIMEDOUT`, and its effect on the file is unknown.
    /// - Returns: A future that fails if not all bytes were written; the error says how many were.
    public func write(
      contentsOf buffer: ByteBuffer, toAbsoluteOffset offset: Int64, timeout: TimeAmount? = nil
    ) -> EventLoopFuture<Void> {
      owner.future(writeCall(offset)) { [self] done in
        startWrite(Cancellation(), buffer, at: offset, timeout, done)
      }
    }

    /// Writes bytes, all of them. Wraps `aio_write(3)`. The bytes are not copied.
    ///
    /// - Parameters:
    ///   - buffer: Its readable bytes are written.
    ///   - offset: In bytes from the start of the file, 0 or more. Ignored for a file that was
    ///     opened with `.append`.
    ///   - timeout: The longest time to wait, more than 0. After it the write fails with
    ///     `ETIMEDOUT`, and its effect on the file is unknown.
    /// - Throws: An error if not all bytes were written; it says how many were.
    nonisolated(nonsending) public func write(
      contentsOf buffer: ByteBuffer, toAbsoluteOffset offset: Int64, timeout: TimeAmount? = nil
    ) async throws(FileError) {
      try await owner.outcome(writeCall(offset)) { [self] in
        startWrite($0, buffer, at: offset, timeout, $1)
      }
    }

    /// Writes the bytes of several buffers, one after the other, as one write. The counterpart of
    /// `pwritev(2)`. It copies the bytes, because the kernel's asynchronous operations take one
    /// piece of memory. Traps if they do not fit in a `ByteBuffer`, which holds less than 4 GiB.
    ///
    /// - Parameters:
    ///   - buffers: Their readable bytes are written.
    ///   - offset: In bytes from the start of the file, 0 or more. Ignored for a file that was
    ///     opened with `.append`.
    ///   - timeout: The longest time to wait, more than 0. After it the write fails with
    ///     `ETIMEDOUT`, and its effect on the file is unknown.
    /// - Returns: A future that fails if not all bytes were written; the error says how many were.
    public func write(
      contentsOf buffers: [ByteBuffer], toAbsoluteOffset offset: Int64, timeout: TimeAmount? = nil
    ) -> EventLoopFuture<Void> {
      write(contentsOf: Self.joined(buffers), toAbsoluteOffset: offset, timeout: timeout)
    }

    /// Writes the bytes of several buffers, one after the other, as one write. It copies the bytes.
    /// Traps if they do not fit in a `ByteBuffer`, which holds less than 4 GiB.
    ///
    /// - Parameters:
    ///   - buffers: Their readable bytes are written.
    ///   - offset: In bytes from the start of the file, 0 or more. Ignored for a file that was
    ///     opened with `.append`.
    ///   - timeout: The longest time to wait, more than 0. After it the write fails with
    ///     `ETIMEDOUT`, and its effect on the file is unknown.
    /// - Throws: An error if not all bytes were written; it says how many were.
    nonisolated(nonsending) public func write(
      contentsOf buffers: [ByteBuffer], toAbsoluteOffset offset: Int64, timeout: TimeAmount? = nil
    ) async throws(FileError) {
      try await write(contentsOf: Self.joined(buffers), toAbsoluteOffset: offset, timeout: timeout)
    }

    /// Appends bytes to the file, after those of every append that was made before. Wraps
    /// `aio_write(3)`. Traps if the file was not opened with `.append`.
    ///
    /// - Parameters:
    ///   - buffer: Its readable bytes are written.
    ///   - timeout: As for `write(contentsOf:toAbsoluteOffset:timeout:)`.
    /// - Returns: A future that fails if not all bytes were written; the error says how many were.
    public func append(
      contentsOf buffer: ByteBuffer, timeout: TimeAmount? = nil
    ) -> EventLoopFuture<Void> {
      checkAppends()
      return write(contentsOf: buffer, toAbsoluteOffset: 0, timeout: timeout)
    }

    /// Appends bytes to the file, after those of every append that was made before. Traps if the
    /// file was not opened with `.append`.
    ///
    /// - Parameters:
    ///   - buffer: Its readable bytes are written.
    ///   - timeout: As for `write(contentsOf:toAbsoluteOffset:timeout:)`.
    /// - Throws: An error if not all bytes were written; it says how many were.
    nonisolated(nonsending) public func append(
      contentsOf buffer: ByteBuffer, timeout: TimeAmount? = nil
    ) async throws(FileError) {
      checkAppends()
      try await write(contentsOf: buffer, toAbsoluteOffset: 0, timeout: timeout)
    }

    private func checkAppends() {
      require(
        queued.appends, "LoopFile: open the file with the option .append to append to it")
    }

    private func writeCall(_ offset: Int64) -> FileCall {
      FileCall(.write, path, at: queued.appends ? nil : offset)
    }

    private static func joined(_ buffers: [ByteBuffer]) -> ByteBuffer {
      var all = ByteBuffer()
      all.reserveCapacity(buffers.reduce(0) { $0 + $1.readableBytes })
      for buffer in buffers { all.writeImmutableBuffer(buffer) }
      return all
    }

    /// Starts a write on the loop.
    private func startWrite(
      _ cancellation: Cancellation, _ buffer: ByteBuffer, at offset: Int64, _ timeout: TimeAmount?,
      _ done: @escaping Completion<Void>
    ) {
      do throws(Errno) {
        let request = try queued.write(
          queued.bytesToWrite(buffer), at: offset,
          timeout: timeout.map { .nanoseconds($0.nanoseconds) }
        ) { result, _ in
          done(result.map { _ in })
        }
        cancellation.stops(request, of: owner.queue)
      } catch {
        done(.failure(writeCall(offset).error(error)))
      }
    }

    // MARK: - Syncs

    /// Makes the file's earlier writes durable. Wraps `aio_fsync(3)`.
    ///
    /// It covers every write that was made before it on the same thread, even if that write is
    /// still in progress. One sync serves all that wait at the same time. After a failed write or
    /// sync, every later sync of this file fails until the file is opened again. To make the name
    /// of a new file durable, call ``LoopDirectory/synchronize(timeout:)->()`` on its directory.
    ///
    /// - Parameters:
    ///   - dataOnly: Whether to leave out metadata that is not needed to read the data back
    ///     (`O_DSYNC`).
    ///   - timeout: The longest time to wait, more than 0. After it the sync fails with
    ///     `ETIMEDOUT`.
    /// - Returns: A future that succeeds when the data is durable.
    public func synchronize(
      dataOnly: Bool = false, timeout: TimeAmount? = nil
    ) -> EventLoopFuture<Void> {
      owner.future(Self.syncCall(dataOnly, path)) { [self] done in
        startSync(Cancellation(), dataOnly, timeout, done)
      }
    }

    /// Makes the file's earlier writes durable. The form that returns a future says more.
    ///
    /// - Parameters:
    ///   - dataOnly: Whether to leave out metadata that is not needed to read the data back
    ///     (`O_DSYNC`).
    ///   - timeout: The longest time to wait, more than 0. After it the sync fails with
    ///     `ETIMEDOUT`.
    /// - Throws: An error if the data may not be durable.
    nonisolated(nonsending) public func synchronize(
      dataOnly: Bool = false, timeout: TimeAmount? = nil
    ) async throws(FileError) {
      try await owner.outcome(Self.syncCall(dataOnly, path)) { [self] in
        startSync($0, dataOnly, timeout, $1)
      }
    }

    private static func syncCall(_ dataOnly: Bool, _ path: FilePath) -> FileCall {
      FileCall(dataOnly ? .dataSync : .sync, path)
    }

    private func startSync(
      _ cancellation: Cancellation, _ dataOnly: Bool, _ timeout: TimeAmount?,
      _ done: @escaping Completion<Void>
    ) {
      queued.startSync(
        cancellation, dataOnly: dataOnly, timeout, Self.syncCall(dataOnly, path), done)
    }
  }

  extension AIOFile {
    /// Starts a sync on the loop.
    func startSync(
      _ cancellation: Cancellation, dataOnly: Bool, _ timeout: TimeAmount?, _ call: FileCall,
      _ done: @escaping Completion<Void>
    ) {
      let timeout = timeout.map { Duration.nanoseconds($0.nanoseconds) }
      do throws(Errno) {
        let request =
          dataOnly
          ? try dataSync(timeout: timeout, { done($0) }) : try sync(timeout: timeout, { done($0) })
        cancellation.stops(request, of: queue)
      } catch {
        done(.failure(call.error(error)))
      }
    }
  }
#endif
