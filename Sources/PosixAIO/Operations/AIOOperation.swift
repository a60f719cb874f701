internal import CPosixAIO
internal import Glibc
public import SystemPackage

/// An operation of POSIX AIO with a result. The counterpart of the trait `nix::sys::aio::Aio`.
public protocol AIO<Output>: AIOOperation {
  /// What ``takeResult()`` gives.
  associatedtype Output

  /// Takes the result of a finished operation, once; the operation may then be submitted again.
  ///
  /// - Returns: The bytes moved of a read or write, nothing of a sync.
  /// - Throws: `EINPROGRESS` while it runs, and then nothing has changed; `EINVAL` if it was never
  ///   submitted or its result was taken before; `ECANCELED` if it was cancelled; otherwise the
  ///   operation's own error. Wraps `aio_return(3)`, with the error from `aio_error(3)`, since
  ///   `aio_return` does not set errno.
  func takeResult() throws(Errno) -> Output
}

/// What all operations of POSIX AIO have in common. Make an ``AIORead``, ``AIOWrite``,
/// ``AIOReadv``, ``AIOWritev`` or ``AIOFsync``.
///
/// An operation is made, submitted, waited for (by its signal, by ``suspend(_:timeout:)``, or by
/// asking ``error()``), and its result is taken; then it may be submitted again. It belongs to one
/// thread at a time.
///
/// It may be dropped at any moment. When that happens in flight, its memory is kept until glibc is
/// done with it, and the first time in a process a line on standard error says so, because the
/// result of the operation is lost.
///
/// No event loop is needed. Within one, ``CompletionQueue`` is the better choice.
@safe
public class AIOOperation {
  enum State {
    case idle, inFlight
  }

  /// The descriptor. It must stay open until the operation is finished: glibc would run what is
  /// queued on whatever file gets the number next. ``close(_:)`` sees to that.
  public let fileDescriptor: FileDescriptor

  /// How much later the operation runs than others on the same descriptor, `0...20`: of those that
  /// wait, the one with the lowest number is next. A sync always has 0.
  public let priority: Int32

  /// How the end of the operation is announced. Traps when it is changed in flight.
  public var notification: AIONotification {
    willSet {
      require(
        state == .idle, "AIOOperation: the notification cannot be changed while it is in flight")
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

  /// Whether the operation was submitted and its result not taken yet.
  public var isInProgress: Bool { state == .inFlight }

  /// Starts the operation. Wraps `aio_read(3)`, `aio_write(3)` or `aio_fsync(3)`; with a signal,
  /// `lio_listio(3)` with the signal as its list event, since glibc overwrites the result of an
  /// operation whose own signal it cannot queue.
  ///
  /// - Throws: Nothing was started then. `EINVAL` for a priority outside of its range, or a signal
  ///   number that is none; `EAGAIN` if memory or threads ran out; `ENOTSUP` in a process that was
  ///   forked by one which had used AIO; and for a sync `EBADF`, and `EBUSY` while a write of lower
  ///   priority is queued on the descriptor, which glibc would run after the sync.
  ///
  /// A bad descriptor or offset of a read or write is an error of its result. Submitting an
  /// operation that is in flight traps.
  public final func submit() throws(Errno) {
    try makeReady()
    do throws(Errno) {
      try OperationTable.submit { () throws(Errno) in try start() }
    } catch {
      guard !keepIfTaken() else { return }
      throw error
    }
  }

  /// The state of a submitted operation: `EINPROGRESS` while it runs, nil when it has succeeded,
  /// `ECANCELED` after a cancellation, otherwise the error. `EINVAL` when it was not submitted, or
  /// its result was taken. Wraps `aio_error(3)`.
  public final func error() -> Errno? {
    guard state == .inFlight else { return .invalidArgument }
    let number = unsafe AIOSystem.live.error(of: block.control)
    return number == 0 ? nil : Errno(rawValue: number)
  }

  /// Asks for the operation not to run. Wraps `aio_cancel(3)`.
  ///
  /// The result must be waited for and taken in any case. An operation that runs cannot be
  /// cancelled; nor is one that may have others waiting behind it on the same descriptor, because
  /// glibc can lose those: cancel the last one first, or all with ``cancelAll(on:)``. A sync with a
  /// signal has the signal waiting behind it.
  ///
  /// - Returns: Whether it will run; ``AIOCancelStatus/allDone`` also for one that is not in
  ///   flight.
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
        [control], signal: number, ticket: UInt64(bitPattern: Int64(value)))
    }
  }

  /// Checks and fills everything, and counts the operation as in flight; nothing may come between
  /// this and its submission.
  final func makeReady() throws(Errno) {
    require(state == .idle, "AIOOperation: submitted again before its result was taken")
    try notification.check()
    guard !caio_is_forked_child() else { throw .notSupported }
    guard priority >= 0, priority <= caio_priority_limit() else { throw .invalidArgument }
    try prepare()
    unsafe caio_set_priority(block.control, priority)
    OperationTable.insert(block)
    state = .inFlight
  }

  /// After a failed submission: makes the operation idle again if glibc did not take it.
  final func keepIfTaken() -> Bool {
    guard unsafe !AIOSystem.live.wasTaken(block.control) else { return true }
    giveUp()
    return false
  }

  /// Undoes ``makeReady()`` of an operation that was not submitted.
  final func giveUp() {
    OperationTable.remove(block)
    state = .idle
  }

  /// Ends the operation, if it is finished, and gives what the kernel returned.
  final func finish() throws(Errno) -> Int {
    guard state == .inFlight else { throw .invalidArgument }
    let number = unsafe AIOSystem.live.error(of: block.control)
    guard number != EINPROGRESS else { throw .nowInProgress }
    state = .idle
    OperationTable.remove(block)
    guard number == 0 else { throw Errno(rawValue: number) }
    return unsafe AIOSystem.live.result(of: block.control)
  }

  /// A sync's doorbell may still be on its way when the sync's result is taken: leaves it to the
  /// table.
  final func letDoorbellGo() {
    guard block.isDoorbellBusy else { return }
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
  PosixAIO: an operation on a file was dropped while it ran; its memory is kept until it ends, and \
  its result is lost. Further ones are not reported.

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
