#if !os(Linux) || !canImport(Glibc)
  #error(
    "swift-aio needs Linux with glibc: it is built on glibc's POSIX AIO and on signalfd(2).")
#endif

internal import CPosixAIO
internal import Glibc
package import SystemPackage

/// The calls of libc that make asynchronous IO, and the queue's clock: the only place in this
/// package that calls `aio_*` and `lio_listio`.
///
/// The completion queue and the operations call libc through an instance, so that tests can
/// override a call to make it fail, shorten a transfer or lose a signal.
///
/// Sendable: it has no state. A test's subclass with state stays on the test's thread.
@safe
class AIOSystem: @unchecked Sendable {
  /// Calls libc.
  static let live = AIOSystem()

  typealias Control = UnsafeMutablePointer<aiocb>

  // MARK: Operations

  /// Submits operations that do not signal, with one signal when the last of them has ended.
  ///
  /// If this throws, some of the operations may run all the same; ``wasAccepted(_:)`` says which.
  ///
  /// - Parameter value: Arrives with the signal.
  func submitGroup(
    _ controls: [Control?], signal: Int32, value groupID: UInt64
  ) throws(Errno) {
    try checked(unsafe caio_submit_group(controls, Int32(controls.count), signal, groupID))
  }

  /// As ``submitGroup(_:signal:value:)``, without a signal.
  func submitSilentGroup(_ controls: [Control?]) throws(Errno) {
    try checked(unsafe caio_submit_silent_group(controls, Int32(controls.count)))
  }

  /// Wraps `aio_suspend(3)`. Nil waits without a limit.
  func suspend(_ controls: [UnsafePointer<aiocb>?], timeout: Duration?) throws(Errno) {
    let nanoseconds = timeout.map { Int64(clamping: $0.wholeNanoseconds) } ?? -1
    try checked(unsafe caio_suspend(controls, Int32(controls.count), nanoseconds))
  }

  /// Wraps `aio_fsync(3)`, with `O_DSYNC` if `dataOnly`, otherwise `O_SYNC`.
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

  /// Reads from the page cache without waiting. Wraps `preadv2(2)` with `RWF_NOWAIT`.
  ///
  /// - Returns: The number of bytes read, or -1 with errno set.
  func readCached(
    _ fileDescriptor: Int32, _ memory: UnsafeMutableRawPointer?, _ byteCount: Int, _ offset: Int64
  ) -> Int {
    unsafe caio_read_cached(fileDescriptor, memory, byteCount, offset)
  }

  /// Whether a part of the range may be in the page cache. Reads nothing. Wraps `cachestat(2)`.
  func mayBeCached(_ fileDescriptor: Int32, _ byteCount: Int, _ offset: Int64) -> Bool {
    caio_may_be_cached(fileDescriptor, offset, byteCount)
  }

  /// Whether libc owns the operation after a failed submission.
  func wasAccepted(_ control: Control) -> Bool {
    unsafe caio_was_accepted(control)
  }

  /// The error of an operation: 0 for none, `EINPROGRESS` while libc owns it. Wraps `aio_error(3)`.
  func error(of control: Control) -> Int32 {
    unsafe aio_error(control)
  }

  /// The kernel's result: a number of bytes, or -1. Wraps `aio_return(3)`.
  func result(of control: Control) -> Int {
    unsafe aio_return(control)
  }

  /// Wraps `aio_cancel(3)`.
  func cancel(_ fileDescriptor: Int32, _ control: Control?) throws(Errno) -> Int32 {
    try checked(unsafe aio_cancel(fileDescriptor, control))
  }

  // MARK: Time

  /// The queue's clock in nanoseconds. Wraps `clock_gettime(2)` with `CLOCK_MONOTONIC`.
  func now() -> UInt64 {
    caio_now()
  }

  /// Arms a timer: its descriptor becomes readable once, at `time` by this clock, or immediately if
  /// that has passed. Wraps `timerfd_settime(2)` with `TFD_TIMER_ABSTIME`.
  func setTimer(_ descriptor: Int32, at time: UInt64) {
    // Cannot fail: the descriptor is a timer of ours, and the kernel accepts any time.
    caio_timerfd_set(descriptor, time)
  }

  /// Makes a timer's descriptor unreadable until the timer expires again. Wraps `read(2)`.
  func clearTimer(_ descriptor: Int32) {
    var expirations: UInt64 = 0
    // Fails only if the timer was armed again in the meantime, and then it is not readable.
    _ = unsafe read(descriptor, &expirations, MemoryLayout<UInt64>.size)
  }

  // MARK: Readiness

  /// The sources of a queue's epoll descriptor that are readable now. Wraps `epoll_wait(2)`.
  func readableSources(_ epoll: Int32) -> QueueSources {
    var sources: UInt32 = 0
    let count = unsafe caio_epoll_wait(epoll, &sources)
    require(count >= 0, "CompletionQueue: the queue's descriptor was closed by other code")
    return QueueSources(rawValue: sources)
  }
}

/// Checks the result of a call that returns -1 on failure.
///
/// - Returns: The result, if it is not -1.
/// - Throws: The error that the call left in errno.
@discardableResult
package func checked(_ result: Int32) throws(Errno) -> Int32 {
  guard result != -1 else { throw .ofLastCall }
  return result
}

extension Errno {
  /// The errno of the last failed call. The only conversion of C's errno to ``Errno``. Read it
  /// once, right after the call.
  package static var ofLastCall: Errno { Errno(rawValue: errno) }
}
