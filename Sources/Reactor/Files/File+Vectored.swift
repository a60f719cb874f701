public import PosixAIO
internal import SystemPackage

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
  ///   - handler: Called once. Gets the number of bytes read into all buffers together. Refused as
  ///     ``read(into:byteCount:at:timeout:_:)`` is, with `ENOBUFS` if all buffers together have a
  ///     capacity of 0, and with `EINVAL` for more than `IOV_MAX` buffers or `SSIZE_MAX` bytes.
  /// - Returns: A name for the request.
  @discardableResult
  public func read(
    into vector: consuming IOVector, at offset: Int64, timeout: Duration? = nil,
    _ handler: @escaping VectorHandler
  ) -> RequestID {
    let whole: IOBuffer
    do throws(Errno) {
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

  /// Writes the valid bytes of several buffers, one after the other, to one place of the file. The
  /// counterpart of `pwritev(2)`.
  ///
  /// - Parameters:
  ///   - vector: At most `IOV_MAX` (1024) buffers. Moves in; comes back with the completion,
  ///     unchanged.
  ///   - offset: Where in the file, in bytes from its start, 0 or more. A file opened with
  ///     `.append` ignores it.
  ///   - timeout: As for ``read(into:byteCount:at:timeout:_:)``. A write that runs is not undone.
  ///   - handler: Called once. Gets the number of bytes written, all of them; a failure says how
  ///     many were. Refused as ``read(into:at:timeout:_:)`` is.
  /// - Returns: A name for the request.
  @discardableResult
  public func write(
    _ vector: consuming IOVector, at offset: Int64, timeout: Duration? = nil,
    _ handler: @escaping VectorHandler
  ) -> RequestID {
    let whole: IOBuffer
    do throws(Errno) {
      whole = try vector.gathered()
    } catch {
      writesBeingRefused.add(error)
      return refuse(.write, at: placeOfWrite(offset), error, vector) { [self] result, vector in
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

  /// Adds the buffer's valid bytes at the file's end. Wraps `aio_write(3)`'s operation on a file
  /// opened with `.append`, which it must be.
  ///
  /// What is appended stands in the order in which it was accepted. Where that is, the kernel does
  /// not say: others may append too. Who is alone can count.
  ///
  /// - Parameters: As ``write(_:at:timeout:_:)-(IOBuffer,_,_,_)``.
  /// - Returns: A name for the request.
  @discardableResult
  public func append(
    _ buffer: consuming IOBuffer, timeout: Duration? = nil,
    _ handler: @escaping CompletionQueue.TransferHandler
  ) -> RequestID {
    require(queued.appends, "File: open the file with the option .append to append to it")
    return write(buffer, at: 0, timeout: timeout, handler)
  }
}
