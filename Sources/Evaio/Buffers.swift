package import CEvaio
internal import CLibevent
internal import Glibc
internal import PosixAIO
internal import Reactor
internal import SystemPackage

@c @implementation
package func evaio_read_buffer(
  _ file: OpaquePointer?, _ size: Int, _ offset: Int64, _ timeout: UnsafePointer<timeval>?,
  _ cb: evaio_buffer_cb?, _ arg: UnsafeMutableRawPointer?
) -> evaio_id {
  let file = unsafe openFile(file, "evaio_read_buffer")
  guard let cb = unsafe cb else { trap("evaio_read_buffer: the callback is NULL") }
  let receiver = unsafe BufferReceiver(callback: cb, argument: arg)
  do throws(Errno) {
    let timeout = try unsafe duration(timeout)
    guard size >= 0 else { throw .invalidArgument }
    let buffer = try IOBuffer.allocate(size)
    return file.read(into: buffer, byteCount: size, at: offset, timeout: timeout) {
      result, buffer in
      switch result {
      case .success: receiver.receive(buffer)
      case .failure(let error): receiver.receive(error)
      }
    }.rawValue
  } catch {
    return refuseRead(file, at: offset, error) { result in
      if case .failure(let error) = result { receiver.receive(error) }
    }
  }
}

@c @implementation
package func evaio_write_buffer(
  _ file: OpaquePointer?, _ data: OpaquePointer?, _ offset: Int64,
  _ timeout: UnsafePointer<timeval>?, _ cb: evaio_cb?, _ arg: UnsafeMutableRawPointer?
) -> evaio_id {
  unsafe write(
    openFile(file, "evaio_write_buffer"), at: offset, timeout, Receiver(cb, arg)
  ) { (_) throws(Errno) in
    try unsafe MovedBuffer.move(data, "evaio_write_buffer")
  }
}

@c @implementation
package func evaio_append_buffer(
  _ file: OpaquePointer?, _ data: OpaquePointer?, _ timeout: UnsafePointer<timeval>?,
  _ cb: evaio_cb?, _ arg: UnsafeMutableRawPointer?
) -> evaio_id {
  let file = unsafe openFile(file, "evaio_append_buffer")
  guard file.appends else { return unsafe refuseAppend(file, Receiver(cb, arg)) }
  return unsafe evaio_write_buffer(makeBorrowedHandle(file), data, 0, timeout, cb, arg)
}

/// Where bytes go: C's callback and its argument.
@safe
struct BufferReceiver {
  let callback: evaio_buffer_cb
  let argument: UnsafeMutableRawPointer?

  /// Passes on a buffer's memory, which libevent frees when its bytes are sent or dropped.
  func receive(_ buffer: consuming IOBuffer) {
    let count = buffer.count
    guard let data = unsafe evbuffer_new() else { trap("evaio: out of memory") }
    if count > 0 {
      let memory = unsafe buffer.relinquish().baseAddress
      let status = unsafe evbuffer_add_reference(
        data, memory, count,
        { memory, _, _ in unsafe UnsafeMutableRawPointer(mutating: memory)?.deallocate() },
        nil)
      require(status == 0, "evaio: out of memory")
    }
    unsafe callback(data, nil, argument)
    unsafe evbuffer_free(data)
  }

  func receive(_ error: FileError) {
    unsafe error.withC { unsafe callback(nil, $0, argument) }
  }
}

/// The bytes of an evbuffer, for as long as a request needs them.
@safe
final class MovedBuffer {
  private let data: OpaquePointer

  private init() {
    guard let data = unsafe evbuffer_new() else { trap("evaio: out of memory") }
    unsafe self.data = data
  }

  deinit { unsafe evbuffer_free(data) }

  /// Moves the bytes out of a buffer of C.
  ///
  /// - Returns: A buffer that shares them. They are copied only if they are in several pieces.
  /// - Throws: `EINVAL` if the buffer is frozen, or holds anything but memory of its own; it keeps
  ///   its bytes then.
  @unsafe
  static func move(_ source: OpaquePointer?, _ call: StaticString) throws(Errno) -> IOBuffer {
    guard let source = unsafe source else { trap("\(call): the data is NULL") }
    guard unsafe holdsItsOwnMemory(source) else { throw .invalidArgument }
    let moved = MovedBuffer()
    guard unsafe evbuffer_add_buffer(moved.data, source) == 0 else { throw .invalidArgument }
    let count = unsafe evbuffer_get_length(moved.data)
    guard count > 0 else { return IOBuffer(capacity: 0) }
    guard let bytes = unsafe evbuffer_pullup(moved.data, -1) else { throw .invalidArgument }
    return unsafe IOBuffer(
      lending: UnsafeMutableRawBufferPointer(start: bytes, count: count), count: count,
      from: moved)
  }

  /// Whether a buffer has no parts of files and none of other buffers.
  ///
  /// Where a file is to be sent by `sendfile(2)`, `evbuffer_pullup` returns an address outside of
  /// any memory. Elsewhere the file is mapped: copying it reads the disk on this thread, and raises
  /// `SIGBUS` if the file became shorter. Parts of another buffer are released into that one, which
  /// belongs to this thread, but the operation may end on another. libevent does not tell parts
  /// apart, but refuses to share just these.
  @unsafe
  private static func holdsItsOwnMemory(_ data: OpaquePointer) -> Bool {
    guard let shared = unsafe evbuffer_new() else { trap("evaio: out of memory") }
    defer { unsafe evbuffer_free(shared) }
    return unsafe evbuffer_add_buffer_reference(shared, data) == 0
  }
}
