internal import PosixAIO
internal import SystemPackage

/// Where a pump puts bytes: a connection, or what a test has in its place.
protocol ByteSink: AnyObject {
  /// Takes bytes to be sent, in order.
  func write(_ buffer: consuming IOBuffer) throws(Errno)

  /// Bytes that were taken and that the other side has not; when the sink is closed, those that it
  /// never will have.
  var pendingByteCount: Int { get }

  /// How many bytes may be pending before the pump waits.
  var pumpByteCount: Int { get }

  /// Whether nothing is sent any more.
  var isOver: Bool { get }

  /// Calls `resume` once: when no more bytes than that are pending, or nothing is accepted any more.
  /// Not from inside this call.
  func whenPending(atMost byteCount: Int, _ resume: @escaping () -> Void)
}

/// Where a pump gets bytes.
protocol ByteSource: AnyObject {
  /// Shows what has arrived and was not consumed; the body says how much it consumes.
  func consume(_ body: (RawSpan) -> Int)

  var unreadByteCount: Int { get }

  /// Whether nothing more will arrive behind what is unread.
  var hasEnded: Bool { get }

  /// Calls `resume` once: when something has arrived, or nothing more will. Not from inside this
  /// call.
  func whenReadable(_ resume: @escaping () -> Void)
}
