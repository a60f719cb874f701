public import PosixAIO
internal import SystemPackage

/// Several buffers in one request.
///
/// The kernel's asynchronous operations take one piece of memory. Several requests are not an
/// alternative: a short write in the middle would leave a hole. So one request transfers all bytes
/// through a buffer of its own. This costs a copy, and the caller's buffers are always returned.
extension File {
  /// Receives the number of bytes transferred or the error, and the buffers.
  public typealias VectorHandler = (Result<Int, FileError>, consuming IOVector) -> Void

  /// Reads into several buffers, one after the other, from one offset. The counterpart of
  /// `preadv(2)`.
  ///
  /// - Parameters:
  ///   - vector: At most `IOV_MAX` (1024) buffers, filled up to their capacities. Consumed;
  ///     returned with the completion, even after a timeout, with the buffers' counts set to the
  ///     bytes read.
  ///   - offset: In bytes from the file's start, 0 or more.
  ///   - timeout: As for ``read(into:byteCount:at:timeout:_:)``.
  ///   - handler: Called once with the total number of bytes read. Refusals are as for
  ///     ``read(into:byteCount:at:timeout:_:)``, and also `ENOBUFS` if all buffers together
  ///     have a capacity of 0, and `EINVAL` for more than `IOV_MAX` buffers or `SSIZE_MAX` bytes.
  /// - Returns: The request's ID.
  @discardableResult
  public func read(
    into vector: consuming IOVector, at offset: Int64, timeout: Duration? = nil,
    _ handler: @escaping VectorHandler
  ) -> RequestID {
    let whole: IOBuffer
    do throws(Errno) {
      try core.checkUse()
      whole = try vector.wholeBuffer()
    } catch {
      return refuse(.read, at: offset, error, vector, handler)
    }
    let box = MoveBox(vector)
    return read(into: whole, at: offset, timeout: timeout) { result, whole in
      var vector = box.take()
      vector.scatter(whole)
      handler(result, vector)
    }
  }

  /// Writes the valid bytes of several buffers, one after the other, at one offset. The counterpart
  /// of `pwritev(2)`.
  ///
  /// - Parameters:
  ///   - vector: At most `IOV_MAX` (1024) buffers. Consumed; returned unchanged with the
  ///     completion.
  ///   - offset: In bytes from the file's start, 0 or more. Ignored if the file was opened with
  ///     `.append`.
  ///   - timeout: As for ``read(into:byteCount:at:timeout:_:)``. A write in progress is not undone.
  ///   - handler: Called once with the number of bytes written, which is all of them. An error
  ///     includes the number of bytes written. Refusals are as for ``read(into:at:timeout:_:)``.
  /// - Returns: The request's ID.
  @discardableResult
  public func write(
    _ vector: consuming IOVector, at offset: Int64, timeout: Duration? = nil,
    _ handler: @escaping VectorHandler
  ) -> RequestID {
    if let refusal = core.refusal {
      return refuse(.write, at: offsetOfWrite(offset), refusal, vector, handler)
    }
    let whole: IOBuffer
    do throws(Errno) {
      whole = try vector.gathered()
    } catch {
      writesBeingRefused.add(error)
      return refuse(.write, at: offsetOfWrite(offset), error, vector) { [self] result, vector in
        writesBeingRefused.remove()
        handler(result, vector)
      }
    }
    let box = MoveBox(vector)
    return write(whole, at: offset, timeout: timeout) { result, _ in
      handler(result, box.take())
    }
  }

  private func refuse(
    _ operation: FileError.Operation, at offset: Int64?, _ errno: Errno,
    _ vector: consuming IOVector, _ handler: @escaping VectorHandler
  ) -> RequestID {
    let box = MoveBox(vector)
    core.refuse(operation, path, at: offset, errno) { (result: Result<Int, FileError>) in
      handler(result, box.take())
    }
    return .refused
  }

  /// Appends the buffer's valid bytes to the file. Wraps `aio_write(3)`'s operation. Traps if the
  /// file was not opened with `.append`.
  ///
  /// Appended data is in the order in which it was accepted. The kernel does not report its offset:
  /// other processes may append too. If no one else does, the caller can count the bytes.
  ///
  /// - Parameters: As ``write(_:at:timeout:_:)-(IOBuffer,_,_,_)``.
  /// - Returns: The request's ID.
  @discardableResult
  public func append(
    _ buffer: consuming IOBuffer, timeout: Duration? = nil,
    _ handler: @escaping CompletionQueue.TransferHandler
  ) -> RequestID {
    require(queued.appends, "File: open the file with the option .append to append to it")
    return write(buffer, at: 0, timeout: timeout, handler)
  }
}
