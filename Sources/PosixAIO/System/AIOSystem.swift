#if !os(Linux) || !canImport(Glibc)
  #error(
    "swift-aio needs Linux with glibc: it is built on glibc's POSIX AIO and on signalfd(2).")
#endif

internal import CPosixAIO
internal import Glibc
package import SystemPackage

/// The calls of libc that make asynchronous IO, and nothing else: the one place from which this
/// package calls `aio_*` and `lio_listio`, and the queue's clock.
///
/// The completion queue and the operations reach libc through an instance, so that a test can
/// override a call and make it fail, shorten a transfer or lose a signal.
///
/// Sendable: it has no state. A test's subclass that has some stays on the test's thread.
@safe
class AIOSystem: @unchecked Sendable {
  /// Straight to libc.
  static let live = AIOSystem()

  typealias Control = UnsafeMutablePointer<aiocb>

  // MARK: Operations

  /// Hands over operations that notify nobody, with one signal when the last of them is done.
  ///
  /// When this throws, single operations may run all the same; ``wasTaken(_:)`` tells which.
  func submitGroup(
    _ controls: [Control?], signal: Int32, ticket: UInt64
  ) throws(Errno) {
    try checked(unsafe caio_submit_group(controls, Int32(controls.count), signal, ticket))
  }

  /// As ``submitGroup(_:signal:ticket:)``, without a signal.
  func submitSilentGroup(_ controls: [Control?]) throws(Errno) {
    try checked(unsafe caio_submit_silent_group(controls, Int32(controls.count)))
  }

  /// Wraps `aio_suspend(3)`; nil waits for ever.
  func suspend(_ controls: [UnsafePointer<aiocb>?], timeout: Duration?) throws(Errno) {
    let nanoseconds = timeout.map { Int64(clamping: $0.wholeNanoseconds) } ?? -1
    try checked(unsafe caio_suspend(controls, Int32(controls.count), nanoseconds))
  }

  /// Wraps `aio_fsync(3)`, `dataOnly` for `O_DSYNC` instead of `O_SYNC`.
  func submitSync(_ control: Control, dataOnly: Bool) throws(Errno) {
    try checked(unsafe aio_fsync(dataOnly ? O_DSYNC : O_SYNC, control))
  }

  /// Wraps `aio_read(3)`.
  func submitRead(_ control: Control) throws(Errno) {
    try checked(unsafe aio_read(control))
  }

  /// Wraps `aio_write(3)`.
  func submitWrite(_ control: Control) throws(Errno) {
    try checked(unsafe aio_write(control))
  }

  /// Reads what is in the page cache, without waiting. Wraps `preadv2(2)` with `RWF_NOWAIT`.
  ///
  /// - Returns: The bytes read, or -1 with errno set.
  func readCached(
    _ fileDescriptor: Int32, _ memory: UnsafeMutableRawPointer?, _ byteCount: Int, _ offset: Int64
  ) -> Int {
    unsafe caio_read_cached(fileDescriptor, memory, byteCount, offset)
  }

  /// Whether some of it may be in the page cache, for which nothing is read. Wraps `cachestat(2)`.
  func mayBeCached(_ fileDescriptor: Int32, _ byteCount: Int, _ offset: Int64) -> Bool {
    caio_may_be_cached(fileDescriptor, offset, byteCount)
  }

  /// Whether libc owns the operation after a submission failed.
  func wasTaken(_ control: Control) -> Bool {
    unsafe caio_was_taken(control)
  }

  /// The error of an operation, 0 for none, `EINPROGRESS` while libc owns it. Wraps `aio_error(3)`.
  func error(of control: Control) -> Int32 {
    unsafe aio_error(control)
  }

  /// What the kernel returned: bytes, or -1. Wraps `aio_return(3)`.
  func result(of control: Control) -> Int {
    unsafe aio_return(control)
  }

  /// Wraps `aio_cancel(3)`.
  func cancel(_ fileDescriptor: Int32, _ control: Control?) throws(Errno) -> Int32 {
    try checked(unsafe aio_cancel(fileDescriptor, control))
  }

  // MARK: Time

  /// The queue's clock, in nanoseconds. Wraps `clock_gettime(2)` with `CLOCK_MONOTONIC`.
  func now() -> UInt64 {
    caio_now()
  }

  /// Has a timer's descriptor become readable once, at a time of this clock, or at once if that has
  /// passed. Wraps `timerfd_settime(2)` with `TFD_TIMER_ABSTIME`.
  func setTimer(_ descriptor: Int32, at time: UInt64) {
    // It cannot fail: the descriptor is a timer of ours, and the kernel takes any time.
    caio_timerfd_set(descriptor, time)
  }

  /// Makes a timer's descriptor unreadable until it runs out again. Wraps `read(2)`.
  func clearTimer(_ descriptor: Int32) {
    var expirations: UInt64 = 0
    // Fails only if it was set again meanwhile, and then it is not readable.
    _ = unsafe read(descriptor, &expirations, MemoryLayout<UInt64>.size)
  }

  // MARK: Readiness

  /// The sources of a queue's epoll descriptor that are readable now. Wraps `epoll_wait(2)`.
  func readableSources(_ epoll: Int32) -> QueueSources {
    var sources: UInt32 = 0
    let count = unsafe caio_epoll_wait(epoll, &sources)
    require(count >= 0, "CompletionQueue: somebody has closed the queue's descriptor")
    return QueueSources(rawValue: sources)
  }
}

/// The result of a call that gives -1 when it fails.
///
/// - Throws: What the call left in errno.
@discardableResult
package func checked(_ result: Int32) throws(Errno) -> Int32 {
  guard result != -1 else { throw .ofLastCall }
  return result
}

extension Errno {
  /// The door between C's errno and ``Errno``: what the last call that failed left there. To be
  /// read once, right behind the call.
  package static var ofLastCall: Errno { Errno(rawValue: errno) }
}
