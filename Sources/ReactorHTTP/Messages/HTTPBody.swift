internal import CLibevent
public import PosixAIO

/// The body of a request: bytes in memory, taken out from the front.
///
/// evhttp has collected the whole body before the handler runs, so it is never larger than
/// ``HTTPServer/Configuration/maximumBodyByteCount``. What is taken out is given back to the
/// allocator, block by block, and never held twice.
///
/// ```swift
/// var buffer = IOBuffer(capacity: 65_536)
/// while request.body.read(into: &buffer) > 0 {
///   // write `buffer` to a file …
///   buffer.removeAll()
/// }
/// ```
///
/// It stays valid as long as somebody holds it, also after the client is gone.
@safe
public final class HTTPBody {
  /// Nil for a body without bytes, as most requests have it.
  private let bytes: OpaquePointer?

  /// A body without bytes: one for all, since there is nothing to take out of it.
  nonisolated(unsafe) private static let empty = unsafe HTTPBody(nil)

  private init(_ bytes: OpaquePointer?) {
    unsafe self.bytes = bytes
  }

  /// Moves all bytes out of `source`, without copying them.
  static func taking(from source: OpaquePointer?) -> HTTPBody {
    guard let source = unsafe source, unsafe evbuffer_get_length(source) > 0 else {
      return unsafe empty
    }
    guard let bytes = unsafe evbuffer_new() else { outOfMemory() }
    unsafe evbuffer_add_buffer(bytes, source)
    return unsafe HTTPBody(bytes)
  }

  deinit {
    if let bytes = unsafe bytes { unsafe evbuffer_free(bytes) }
  }

  /// The number of bytes that were not taken out yet.
  public var byteCount: Int { unsafe bytes.map { unsafe evbuffer_get_length($0) } ?? 0 }

  /// Moves bytes to the end of `buffer`, as many as are left or fit.
  ///
  /// - Parameter buffer: What is valid in it stays.
  /// - Returns: The number of bytes moved; 0 when none are left or none fit.
  ///
  /// Wraps `evbuffer_remove`.
  @discardableResult
  public func read(into buffer: inout IOBuffer) -> Int {
    // What follows the valid bytes, and at most what the int that evbuffer_remove returns holds.
    let free = unsafe UnsafeMutableRawBufferPointer(
      rebasing: buffer.unsafeMemory[buffer.count...].prefix(Int(Int32.max)))
    guard free.count > 0, byteCount > 0 else { return 0 }
    let removed = unsafe evbuffer_remove(bytes, free.baseAddress, free.count)
    precondition(removed >= 0, "HTTPBody: evbuffer_remove failed on a buffer of our own")
    unsafe buffer.setCount(buffer.count + Int(removed))
    return Int(removed)
  }

  /// Moves all bytes that are left into a buffer of their size.
  ///
  /// - Returns: The bytes; none when none are left.
  public func readAll() -> IOBuffer {
    var buffer = IOBuffer(capacity: byteCount)
    while read(into: &buffer) > 0 {}
    return buffer
  }
}

/// libevent allocates small structures only; when that fails Swift could not go on either.
func outOfMemory() -> Never {
  fatalError("ReactorHTTP: no memory left for libevent")
}
