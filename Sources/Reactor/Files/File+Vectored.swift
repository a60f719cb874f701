public import PosixAIO
public import SystemPackage

/// Several buffers in one request.
///
/// The kernel's asynchronous operations take one piece of memory. Several requests would not be
/// one: a short write in the middle would leave a hole. So one request moves all bytes, through
/// memory of its own; the copy is what it costs, and that the buffers come back whatever happens is
/// what it gives.
extension File {
  /// Gets the bytes moved or the error, and the buffers back.
  public typealias VectorHandler = (Result<Int, FileError>, consuming IOVector) -> Void

  /// Fills several buffers, one after the other, from one place of the file. The counterpart of
  /// `preadv(2)`.
  ///
  /// - Parameters:
  ///   - vector: At most `IOV_MAX` (1024) buffers, filled up to their capacities. Moves in; comes
  ///     back with the completion, also after a time-out, the buffers' counts set to what was read.
  ///   - offset: Where in the file, in bytes from its start, 0 or more.
  ///   - timeout: As for ``read(into:byteCount:at:timeout:_:)``.
  ///   - handler: Gets the number of bytes read into all buffers together.
  /// - Returns: A name for the request.
  /// - Throws: As ``read(into:byteCount:at:timeout:_:)``, and `EINVAL` for more than `IOV_MAX`
  ///   buffers or `SSIZE_MAX` bytes. Nothing was started, and the buffers are gone.
  @discardableResult
  public func read(
    into vector: consuming IOVector, at offset: Int64, timeout: Duration? = nil,
    _ handler: @escaping VectorHandler
  ) throws(Errno) -> RequestID {
    let whole = try vector.wholeBuffer()
    let held = Held(vector)
    return try read(into: whole, at: offset, timeout: timeout) { result, whole in
      var vector = held.take() ?? IOVector()
      vector.scatter(whole)
      handler(result, vector)
    }
  }

  /// Writes the valid bytes of several buffers, one after the other, to one place of the file. The
  /// counterpart of `pwritev(2)`.
  ///
  /// - Parameters:
  ///   - vector: At most `IOV_MAX` (1024) buffers. Moves in; comes back with the completion,
  ///     unchanged.
  ///   - offset: Where in the file, in bytes from its start, 0 or more. A file opened with
  ///     `.append` ignores it.
  ///   - timeout: As for ``read(into:byteCount:at:timeout:_:)``. A write that runs is not undone.
  ///   - handler: Gets the number of bytes written, all of them; a failure says how many were.
  /// - Returns: A name for the request.
  /// - Throws: As ``read(into:at:timeout:_:)``.
  @discardableResult
  public func write(
    _ vector: consuming IOVector, at offset: Int64, timeout: Duration? = nil,
    _ handler: @escaping VectorHandler
  ) throws(Errno) -> RequestID {
    let whole = try vector.gathered()
    let held = Held(vector)
    return try write(whole, at: offset, timeout: timeout) { result, _ in
      handler(result, held.take() ?? IOVector())
    }
  }

  /// Adds the buffer's valid bytes at the file's end. Wraps `aio_write(3)`'s operation on a file
  /// opened with `.append`, which it must be.
  ///
  /// What is appended stands in the order in which it was accepted. Where that is, the kernel does
  /// not say: others may append too. Who is alone can count.
  ///
  /// - Parameters: As ``write(_:at:timeout:_:)-(IOBuffer,_,_,_)``.
  /// - Returns: A name for the request.
  /// - Throws: As ``read(into:byteCount:at:timeout:_:)``.
  @discardableResult
  public func append(
    _ buffer: consuming IOBuffer, timeout: Duration? = nil,
    _ handler: @escaping CompletionQueue.TransferHandler
  ) throws(Errno) -> RequestID {
    precondition(queued.appends, "File: open the file with the option .append to append to it")
    return try write(buffer, at: 0, timeout: timeout, handler)
  }
}
