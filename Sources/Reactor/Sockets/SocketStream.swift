internal import CLibevent
internal import Glibc
internal import PosixAIO
internal import SystemPackage

/// What a stream reports, from libevent's callbacks and so never from inside a call to it.
protocol SocketStreamOwner: AnyObject {
  func bytesArrived()
  func inputEnded()
  func outputMoved()
  func streamTimedOut(_ direction: Connection.Direction)
  func streamFailed(_ errno: Errno)
}

/// A connected socket with a buffer for each direction. Wraps `bufferevent`, and is the only place
/// where a pointer to a Swift object goes into one and comes back.
///
/// Not with `BEV_OPT_DEFER_CALLBACKS`: what is reported then is collected, and a failed write and
/// the end of input of one turn become one report with the errno of the last. Without it a report
/// comes straight from the socket's event, and libevent makes none from inside our calls.
///
/// Nor does libevent send what is written as soon as it is: it would ask epoll first whether the
/// socket takes it, and no more afterwards, at two system calls for each answer. What a turn has
/// written is sent at its end, and libevent is left to it only where the socket does not take all.
///
/// Not with libevent's mark for input either: at it, the callback is called again and again until
/// somebody takes bytes. The owner switches reading off instead.
@safe
final class SocketStream {
  /// Bytes per system call, and for input per turn of the loop; libevent's own are 16 KiB out and
  /// 4 KiB in.
  private static let byteCountPerCall = 256 * 1024
  private static let inputByteCountPerTurn = 64 * 1024
  /// What libevent reads at most: after so much there may be more.
  private static let inputByteCountOfLibevent = 4096

  /// -1 once closed.
  private(set) var descriptor: Int32
  /// What was dropped when it was closed.
  private var unsentByteCount = 0
  private var stream: OpaquePointer?
  private let outputLowWaterByteCount: Int

  /// Keeps the stream, and closes it before it goes.
  unowned var owner: (any SocketStreamOwner)?

  /// Takes over a connected socket that does not block. Wraps `bufferevent_socket_new`.
  init(_ descriptor: Int32, base: OpaquePointer, outputLowWaterByteCount: Int) {
    self.descriptor = descriptor
    self.outputLowWaterByteCount = outputLowWaterByteCount
    guard let stream = unsafe bufferevent_socket_new(base, descriptor, 0) else {
      preconditionFailure("Connection: out of memory")
    }
    unsafe self.stream = stream
    let context = unsafe Unmanaged.passUnretained(self).toOpaque()
    unsafe bufferevent_setcb(stream, onRead, onWrite, onEvent, context)
    unsafe bufferevent_setwatermark(stream, Int16(EV_WRITE), outputLowWaterByteCount, 0)
    unsafe bufferevent_set_max_single_write(stream, Self.byteCountPerCall)
    unsafe bufferevent_disable(stream, Int16(EV_WRITE))
  }

  deinit { close() }

  // MARK: Input

  private var input: OpaquePointer? { unsafe bufferevent_get_input(stream) }

  /// Wraps `bufferevent_enable` and `bufferevent_disable`.
  var isReading: Bool = false {
    didSet {
      guard let stream = unsafe stream, isReading != oldValue else { return }
      if isReading {
        unsafe bufferevent_enable(stream, Int16(EV_READ))
      } else {
        unsafe bufferevent_disable(stream, Int16(EV_READ))
      }
    }
  }

  var inputByteCount: Int {
    guard unsafe stream != nil else { return 0 }
    return unsafe evbuffer_get_length(input)
  }

  /// Shows all input in one piece. It stays until it is taken. Wraps `evbuffer_pullup`.
  func withInput<Result, Failure: Error>(
    _ body: (RawSpan) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    let byteCount = inputByteCount
    let start = unsafe byteCount == 0 ? nil : evbuffer_pullup(input, -1)
    precondition(unsafe start != nil || byteCount == 0, "Connection: out of memory")
    return try body(unsafe UnsafeRawBufferPointer(start: start, count: byteCount).bytes)
  }

  /// Wraps `evbuffer_drain`.
  func takeInput(_ byteCount: Int) {
    guard unsafe stream != nil, byteCount > 0 else { return }
    unsafe evbuffer_drain(input, byteCount)
  }

  /// Reads on where libevent has stopped, since it reads 4 KiB in a turn.
  ///
  /// - Parameter limit: The most bytes of input to have afterwards.
  /// - Throws: What the kernel said, which it says only once.
  func readMore(limit: Int) throws(Errno) {
    let room = min(limit - inputByteCount, Self.inputByteCountPerTurn)
    guard room > 0, inputByteCount >= Self.inputByteCountOfLibevent else { return }
    let input = unsafe input
    unsafe evbuffer_unfreeze(input, 0)
    defer { unsafe evbuffer_freeze(input, 0) }
    var space = unsafe iovec()
    guard unsafe evbuffer_reserve_space(input, room, &space, 1) == 1 else { return }
    let count = unsafe read(descriptor, space.iov_base, min(room, space.iov_len))
    let reason = Errno.ofLastCall
    unsafe space.iov_len = max(0, count)
    unsafe evbuffer_commit_space(input, &space, 1)
    // The end of input is told again, to libevent.
    guard count < 0, reason != .wouldBlock, reason != .interrupted else { return }
    throw reason
  }

  // MARK: Output

  private var output: OpaquePointer? { unsafe bufferevent_get_output(stream) }

  /// When it is closed, what was never sent.
  var outputByteCount: Int {
    guard unsafe stream != nil else { return unsentByteCount }
    return unsafe evbuffer_get_length(output)
  }

  /// What sending waits for.
  private enum Sending {
    case nothing
    case endOfTurn
    /// libevent sends as the socket takes it.
    case socket
  }

  private var sending = Sending.nothing

  /// Whether it is to be sent at the end of the turn, from now on.
  ///
  /// - Returns: False where it was before, or libevent does it.
  func beginSending() -> Bool {
    guard case .nothing = sending, unsafe stream != nil else { return false }
    sending = .endOfTurn
    return true
  }

  /// Hands what was written to the kernel, and the rest to libevent. Wraps `evbuffer_write_atmost`.
  func send() {
    guard case .endOfTurn = sending, let stream = unsafe stream else { return }
    sending = .nothing
    let output = unsafe output
    unsafe evbuffer_unfreeze(output, 1)
    errno = 0
    let count = unsafe evbuffer_write_atmost(output, descriptor, Self.byteCountPerCall)
    let reason = Errno.ofLastCall
    unsafe evbuffer_freeze(output, 1)
    if count < 0, reason != .wouldBlock, reason != .interrupted {
      owner?.streamFailed(reason)
      return
    }
    if outputByteCount > 0 {
      sending = .socket
      unsafe bufferevent_enable(stream, Int16(EV_WRITE))
    }
    if outputByteCount <= outputLowWaterByteCount { owner?.outputMoved() }
  }

  /// Copies bytes behind what is to be sent. Wraps `bufferevent_write`.
  func write(_ bytes: UnsafeRawBufferPointer) {
    guard let stream = unsafe stream, unsafe !bytes.isEmpty else { return }
    let result = unsafe bufferevent_write(stream, bytes.baseAddress, bytes.count)
    precondition(result == 0, "Connection: out of memory")
  }

  /// Adds a buffer's memory, which is freed when it was sent. Wraps `evbuffer_add_reference`.
  func write(_ buffer: consuming IOBuffer) {
    let byteCount = buffer.count
    let memory = unsafe buffer.relinquish()
    let result = unsafe evbuffer_add_reference(
      output, memory.baseAddress, byteCount, onReferenceReleased, memory.baseAddress)
    precondition(result == 0, "Connection: out of memory")
  }

  // MARK: Both

  /// Wraps `bufferevent_set_timeouts`; nil is none.
  func setTimeouts(input: Duration?, output: Duration?) {
    guard let stream = unsafe stream else { return }
    var inputTime = timeval(input ?? .zero)
    var outputTime = timeval(output ?? .zero)
    unsafe bufferevent_set_timeouts(stream, &inputTime, &outputTime)
  }

  /// Closes the socket, and drops what was not sent.
  ///
  /// The descriptor is closed here and not by libevent, which frees a bufferevent some time later.
  /// So is input, since somebody may be looking at it. Wraps `bufferevent_free` and `close(2)`.
  func close() {
    guard let stream = unsafe stream else { return }
    unsentByteCount = outputByteCount
    // Before the close: the number may be another socket's then.
    unsafe bufferevent_disable(stream, Int16(EV_READ | EV_WRITE))
    unsafe evbuffer_unfreeze(output, 1)
    unsafe evbuffer_drain(output, .max)
    unsafe bufferevent_free(stream)
    unsafe self.stream = nil
    SocketCalls.close(descriptor)
    descriptor = -1
  }

  fileprivate func happened(_ what: Int32, _ errno: Errno) {
    if what & BEV_EVENT_TIMEOUT != 0 {
      owner?.streamTimedOut(what & BEV_EVENT_READING != 0 ? .input : .output)
    } else if what & BEV_EVENT_ERROR != 0 {
      owner?.streamFailed(errno)
    } else if what & BEV_EVENT_READING != 0 {
      // libevent has disabled reading.
      isReading = false
      owner?.inputEnded()
    } else {
      // A write of some bytes that took none; Linux has no such thing.
      owner?.streamFailed(.brokenPipe)
    }
  }

  fileprivate func reportInput() { owner?.bytesArrived() }

  fileprivate func reportOutput() {
    if outputByteCount == 0, let stream = unsafe stream {
      sending = .nothing
      unsafe bufferevent_disable(stream, Int16(EV_WRITE))
    }
    owner?.outputMoved()
  }
}

/// The stream that a callback is for, which its owner keeps while the bufferevent has callbacks;
/// this reference keeps it while one runs.
private func recover(_ context: UnsafeMutableRawPointer?) -> SocketStream {
  guard let context = unsafe context else {
    preconditionFailure("Connection: a callback lost its context")
  }
  return unsafe Unmanaged<SocketStream>.fromOpaque(context).takeUnretainedValue()
}

private func onRead(_: OpaquePointer?, _ context: UnsafeMutableRawPointer?) {
  unsafe recover(context).reportInput()
}

private func onWrite(_: OpaquePointer?, _ context: UnsafeMutableRawPointer?) {
  unsafe recover(context).reportOutput()
}

private func onEvent(_: OpaquePointer?, _ what: Int16, _ context: UnsafeMutableRawPointer?) {
  // First, before any other call changes it.
  let reason = Errno.ofLastCall
  unsafe recover(context).happened(Int32(what), reason)
}

private func onReferenceReleased(
  _: UnsafeRawPointer?, _: Int, _ memory: UnsafeMutableRawPointer?
) {
  // The memory that an IOBuffer relinquished.
  unsafe memory?.deallocate()
}
