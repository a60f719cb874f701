internal import CPosixAIO
internal import Glibc
public import SystemPackage

/// An operation of POSIX AIO with a result. The counterpart of the trait `nix::sys::aio::Aio`.
public protocol AIO<Output>: AIOOperation {
  /// The type of the result.
  associatedtype Output

  /// Takes the result of a finished operation, once. The operation can then be submitted again.
  ///
  /// Wraps `aio_return(3)`, and `aio_error(3)` for the error, since `aio_return` does not set
  /// errno.
  ///
  /// - Returns: The number of bytes that a read or write moved; nothing for a sync.
  /// - Throws: `EINPROGRESS` while it runs, in which case nothing has changed; `EINVAL` if it was
  ///   never submitted or its result was already taken; `ECANCELED` if it was cancelled; otherwise
  ///   the error of the operation.
  func takeResult() throws(Errno) -> Output
}

/// The base class of all operations of POSIX AIO. Create an ``AIORead``, ``AIOWrite``,
/// ``AIOReadv``, ``AIOWritev`` or ``AIOFsync``.
///
/// Create an operation, submit it, wait for its end (by its signal, by ``suspend(_:timeout:)``, or
/// by polling ``error()``), and take its result. Then you can submit it again. An operation belongs
/// to one thread at a time.
///
/// You can drop an operation at any time. If it is in flight, its memory is kept until glibc is
/// done with it, and its result is lost; the first time in a process, a line on standard error says
/// so.
///
/// No event loop is needed. In an event loop, ``CompletionQueue`` is the better choice.
@safe
public class AIOOperation {
  enum State {
    case idle, inFlight
  }

  /// The descriptor. It must stay open until the operation has ended: glibc would run a queued
  /// operation on whatever file gets the number next. ``close(_:)`` ensures that.
  public let fileDescriptor: FileDescriptor

  /// How much later the operation runs than others on the same descriptor, `0...20`: the waiting
  /// operation with the lowest number is next. A sync always has 0.
  public let priority: Int32

  /// How the end of the operation is announced. Setting it in flight traps.
  public var notification: AIONotification {
    willSet {
      require(
        state == .idle, "AIOOperation: the notification cannot be changed in flight")
    }
  }

  private(set) var state = State.idle
  private(set) var block = ControlBlock()

  init(_ fileDescriptor: FileDescriptor, priority: Int32, notification: AIONotification) {
    self.fileDescriptor = fileDescriptor
    self.priority = priority
    self.notification = notification
  }

  deinit {
    guard state == .inFlight else { return }
    if block.isBusy { abandonBlock() } else { OperationTable.remove(block) }
  }

  /// Whether the operation was submitted and its result has not been taken.
  public var isInProgress: Bool { state == .inFlight }

  /// Starts the operation. Wraps `aio_read(3)`, `aio_write(3)` or `aio_fsync(3)`; with a signal,
  /// `lio_listio(3)` with the signal as its list event, since glibc overwrites the result of an
  /// operation whose own signal it cannot queue.
  ///
  /// Traps if the operation is in flight. A bad descriptor or offset of a read or write is an error
  /// of its result.
  ///
  /// - Throws: Nothing was started. `EINVAL` for a priority out of range or an invalid signal
  ///   number; `EFAULT` without a buffer; `EAGAIN` if memory or threads ran out; `ENOTSUP` in a
  ///   child of a process that used AIO before it forked; and for a sync `EBADF`, and `EBUSY` while
  ///   a write of lower priority is queued on the descriptor, which glibc would run after the sync.
  public final func submit() throws(Errno) {
    try makeReady()
    do throws(Errno) {
      try OperationTable.submit { () throws(Errno) in try start() }
    } catch {
      guard !keepIfAccepted() else { return }
      throw error
    }
  }

  /// The state of a submitted operation: `EINPROGRESS` while it runs, nil if it has succeeded,
  /// `ECANCELED` if it was cancelled, otherwise its error. `EINVAL` if it was not submitted or its
  /// result was taken. Wraps `aio_error(3)`.
  public final func error() -> Errno? {
    guard state == .inFlight else { return .invalidArgument }
    let number = unsafe AIOSystem.live.error(of: block.control)
    return number == 0 ? nil : Errno(rawValue: number)
  }

  /// Tries to cancel the operation. Wraps `aio_cancel(3)`.
  ///
  /// In any case, wait for its end and take its result. An operation that runs cannot be cancelled.
  /// Nor is one that may have others queued behind it on the same descriptor, because glibc can
  /// lose those: cancel the last one first, or all with ``cancelAll(on:)``. A sync with a signal
  /// has the signal queued behind it.
  ///
  /// - Returns: Whether it will run; ``AIOCancelStatus/allDone`` also for an operation that is not
  ///   in flight.
  /// - Throws: `EBADF` if the descriptor is not open.
  public final func cancel() throws(Errno) -> AIOCancelStatus {
    guard state == .inFlight, error() == .nowInProgress else { return .allDone }
    return try OperationTable.cancel(block)
  }

  // MARK: - For the kinds of operation

  /// Fills the control block. Throws `EINVAL` for arguments that cannot be submitted.
  func prepare() throws(Errno) {
    trap("AIOOperation: each kind of operation prepares its own control block")
  }

  /// Submits the prepared block.
  func start() throws(Errno) {
    let control = unsafe block.control
    switch notification {
    case .none:
      if block.isWrite {
        try unsafe AIOSystem.live.submitWrite(control)
      } else {
        try unsafe AIOSystem.live.submitRead(control)
      }
    case .signal(let number, let value):
      try unsafe AIOSystem.live.submitGroup(
        [control], signal: number, value: UInt64(bitPattern: Int64(value)))
    }
  }

  /// Checks and fills everything, and counts the operation as in flight. The submission must follow
  /// immediately.
  final func makeReady() throws(Errno) {
    require(
      state == .idle, "AIOOperation: take the result before you submit the operation again")
    try notification.check()
    guard !caio_is_forked_child() else { throw .notSupported }
    guard priority >= 0, priority <= caio_priority_limit() else { throw .invalidArgument }
    try prepare()
    unsafe caio_set_priority(block.control, priority)
    OperationTable.insert(block)
    state = .inFlight
  }

  /// After a failed submission, makes the operation idle again, unless glibc took it.
  final func keepIfAccepted() -> Bool {
    guard unsafe !AIOSystem.live.wasAccepted(block.control) else { return true }
    giveUp()
    return false
  }

  /// Undoes ``makeReady()`` for an operation that was not submitted.
  final func giveUp() {
    OperationTable.remove(block)
    state = .idle
  }

  /// Ends the operation, if it has run.
  ///
  /// - Returns: The result of the kernel's call.
  final func finish() throws(Errno) -> Int {
    guard state == .inFlight else { throw .invalidArgument }
    let number = unsafe AIOSystem.live.error(of: block.control)
    guard number != EINPROGRESS else { throw .nowInProgress }
    state = .idle
    OperationTable.remove(block)
    guard number == 0 else { throw Errno(rawValue: number) }
    return unsafe AIOSystem.live.result(of: block.control)
  }

  /// Leaves a sync's marker to the table if it is still in flight when the sync's result is taken.
  final func releaseSyncMarker() {
    guard block.isSyncMarkerBusy else { return }
    let former = block
    block = ControlBlock()
    block.takeOver(former)
    _ = OperationTable.abandon(former, losesResult: false)
  }

  private func abandonBlock() {
    guard OperationTable.abandon(block, losesResult: true) else { return }
    _ = unsafe write(STDERR_FILENO, abandonment, abandonment.utf8.count)
  }
}

private let abandonment = """
  PosixAIO: an operation was dropped in flight; its memory is kept until it ends, and its result \
  is lost. Further ones are not reported.

  """

extension AIOCancelStatus {
  init(rawValue: Int32) {
    self =
      switch Int(rawValue) {
      case Int(AIO_CANCELED): .canceled
      case Int(AIO_NOTCANCELED): .notCanceled
      default: .allDone
      }
  }
}
