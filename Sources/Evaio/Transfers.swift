package import CEvaio
package import Glibc
internal import PosixAIO
internal import Reactor
internal import SystemPackage

/// C's own memory is never given to glibc: a request that was cancelled, or whose time is over,
/// completes while glibc may still use its memory, and the C program may free its own then. So
/// these calls copy, except reads from the page cache. Those on evbuffers do not copy.

@c @implementation
package func evaio_read(
  _ file: OpaquePointer?, _ memory: UnsafeMutableRawPointer?, _ size: Int, _ offset: Int64,
  _ timeout: UnsafePointer<timeval>?, _ cb: evaio_cb?, _ arg: UnsafeMutableRawPointer?
) -> evaio_id {
  let file = unsafe openFile(file, "evaio_read")
  let receiver = unsafe Receiver(cb, arg)
  do throws(Errno) {
    let timeout = try unsafe duration(timeout)
    guard size >= 0, unsafe memory != nil || size == 0 else { throw .invalidArgument }
    // The caller keeps it valid until the callback.
    let memory = unsafe UnsafeMutableRawBufferPointer(start: memory, count: size)
    return unsafe file.read(lending: memory, at: offset, timeout: timeout, receiver.receive)
      .rawValue
  } catch {
    return refuseRead(file, at: offset, error, receiver.receive)
  }
}

@c @implementation
package func evaio_readv(
  _ file: OpaquePointer?, _ pieces: UnsafePointer<iovec>?, _ count: Int32, _ offset: Int64,
  _ timeout: UnsafePointer<timeval>?, _ cb: evaio_cb?, _ arg: UnsafeMutableRawPointer?
) -> evaio_id {
  let file = unsafe openFile(file, "evaio_readv")
  let receiver = unsafe Receiver(cb, arg)
  do throws(Errno) {
    let timeout = try unsafe duration(timeout)
    let pieces = try unsafe Pieces(pieces, count)
    let size = pieces.byteCount
    let buffer = try file.core.makeBuffer(size)
    return file.read(into: buffer, byteCount: size, at: offset, timeout: timeout) {
      result, buffer in
      buffer.withBytes { unsafe pieces.fill(from: $0) }
      file.core.reuse(buffer)
      receiver.receive(result)
    }.rawValue
  } catch {
    return refuseRead(file, at: offset, error, receiver.receive)
  }
}

@c @implementation
package func evaio_write(
  _ file: OpaquePointer?, _ memory: UnsafeRawPointer?, _ size: Int, _ offset: Int64,
  _ timeout: UnsafePointer<timeval>?, _ cb: evaio_cb?, _ arg: UnsafeMutableRawPointer?
) -> evaio_id {
  let bytes = unsafe UnsafeRawBufferPointer(start: memory, count: memory == nil ? 0 : max(size, 0))
  return unsafe write(
    openFile(file, "evaio_write"), at: offset, timeout, Receiver(cb, arg)
  ) { (core) throws(Errno) in
    guard bytes.count == size else { throw .invalidArgument }
    var buffer = try core.makeBuffer(size)
    unsafe buffer.append(bytes.bytes)
    return buffer
  }
}

@c @implementation
package func evaio_writev(
  _ file: OpaquePointer?, _ pieces: UnsafePointer<iovec>?, _ count: Int32, _ offset: Int64,
  _ timeout: UnsafePointer<timeval>?, _ cb: evaio_cb?, _ arg: UnsafeMutableRawPointer?
) -> evaio_id {
  unsafe write(
    openFile(file, "evaio_writev"), at: offset, timeout, Receiver(cb, arg)
  ) { (core) throws(Errno) in
    let pieces = try unsafe Pieces(pieces, count)
    var buffer = try core.makeBuffer(pieces.byteCount)
    pieces.append(to: &buffer)
    return buffer
  }
}

@c @implementation
package func evaio_append(
  _ file: OpaquePointer?, _ memory: UnsafeRawPointer?, _ size: Int,
  _ timeout: UnsafePointer<timeval>?, _ cb: evaio_cb?, _ arg: UnsafeMutableRawPointer?
) -> evaio_id {
  let file = unsafe openFile(file, "evaio_append")
  guard file.appends else { return unsafe refuseAppend(file, Receiver(cb, arg)) }
  return unsafe evaio_write(makeBorrowedHandle(file), memory, size, 0, timeout, cb, arg)
}

/// Starts a write of a buffer, or reports why it was refused.
@unsafe
func write(
  _ file: File, at offset: Int64, _ time: UnsafePointer<timeval>?, _ receiver: Receiver,
  _ makeBuffer: (LoopCore) throws(Errno) -> IOBuffer
) -> evaio_id {
  do throws(Errno) {
    let timeout = try unsafe duration(time)
    let buffer = try makeBuffer(file.core)
    return file.write(buffer, at: offset, timeout: timeout) { result, buffer in
      file.core.reuse(buffer)
      receiver.receive(result)
    }.rawValue
  } catch {
    file.refuseWrite(at: offset, error, receiver.receive)
    return 0
  }
}

func refuseAppend(_ file: File, _ receiver: Receiver) -> evaio_id {
  file.refuseWrite(at: 0, .invalidArgument, receiver.receive)
  return 0
}

func refuseRead(
  _ file: File, at offset: Int64, _ errno: Errno,
  _ handler: @escaping (Result<Int, FileError>) -> Void
) -> evaio_id {
  file.core.refuse(.read, file.path, at: offset, errno, handler)
  return 0
}

extension LoopCore {
  /// The smallest unit of direct IO, which needs aligned memory, as the pool has it.
  private static let sectorByteCount = 512

  /// An empty buffer for `byteCount` bytes, to be given to ``reuse(_:)``.
  ///
  /// - Throws: `ENOMEM` if there is not as much memory.
  func makeBuffer(_ byteCount: Int) throws(Errno) -> IOBuffer {
    (Self.sectorByteCount...ChunkPool.byteLimit).contains(byteCount)
      ? chunks.take(byteCount) : try IOBuffer.allocate(byteCount)
  }

  func reuse(_ buffer: consuming IOBuffer) {
    chunks.give(buffer)
  }
}

// MARK: - Syncs

@c @implementation
package func evaio_sync(
  _ file: OpaquePointer?, _ timeout: UnsafePointer<timeval>?, _ cb: evaio_cb?,
  _ arg: UnsafeMutableRawPointer?
) -> evaio_id {
  unsafe sync(openFile(file, "evaio_sync"), .sync, timeout, Receiver(cb, arg)) {
    $0.sync(timeout: $1, $2)
  }
}

@c @implementation
package func evaio_datasync(
  _ file: OpaquePointer?, _ timeout: UnsafePointer<timeval>?, _ cb: evaio_cb?,
  _ arg: UnsafeMutableRawPointer?
) -> evaio_id {
  unsafe sync(openFile(file, "evaio_datasync"), .dataSync, timeout, Receiver(cb, arg)) {
    $0.dataSync(timeout: $1, $2)
  }
}

@unsafe
private func sync(
  _ file: File, _ operation: FileError.Operation, _ time: UnsafePointer<timeval>?,
  _ receiver: Receiver,
  _ start: (File, Duration?, @escaping CompletionQueue.SyncHandler) -> RequestID
) -> evaio_id {
  do throws(Errno) {
    return start(file, try unsafe duration(time)) { receiver.receive($0) }.rawValue
  } catch {
    file.core.refuse(operation, file.path, error) { receiver.receive($0 as Result<Void, _>) }
    return 0
  }
}
