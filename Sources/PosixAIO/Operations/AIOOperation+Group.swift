internal import CPosixAIO
internal import Glibc
public import SystemPackage

/// Calls on several operations.
extension AIOOperation {
  /// Whether ``list(_:_:notification:)`` waits. The counterpart of nix's `LioMode`.
  public enum ListMode: Equatable, Sendable {
    /// `LIO_WAIT`: returns when all operations have ended.
    case wait
    /// `LIO_NOWAIT`: returns immediately.
    case noWait
  }

  /// The most operations in one list. glibc keeps its list on the stack.
  public static let listLimit = 1024

  /// Waits until at least one of the operations has ended. Wraps `aio_suspend(3)`.
  ///
  /// - Parameters:
  ///   - operations: At least one and at most ``listLimit``, all submitted.
  ///   - timeout: The longest time to wait, by the monotonic clock; nil waits without a limit.
  /// - Throws: `EAGAIN` after the timeout; `EINTR` if a signal handler ran, after which you may
  ///   call it again; `EINVAL` for a list that is empty or too long, or an operation that is not in
  ///   flight; `ENOTSUP` in a child of a process that used AIO before it forked.
  public static func suspend(
    _ operations: [AIOOperation], timeout: Duration? = nil
  ) throws(Errno) {
    guard !operations.isEmpty, operations.count <= listLimit,
      operations.allSatisfy({ $0.state == .inFlight })
    else { throw .invalidArgument }
    // In a forked child, no operation would ever wake the caller.
    guard !caio_is_forked_child() else { throw .notSupported }
    let controls = unsafe operations.map { unsafe Optional(UnsafePointer($0.block.control)) }
    // More than a century counts as no limit, and would not fit in a number of nanoseconds.
    let timeout = timeout.map { min($0, .seconds(1 << 32)) }
    try unsafe AIOSystem.live.suspend(controls, timeout: timeout)
  }

  /// Starts several operations with one call. Wraps `lio_listio(3)`.
  ///
  /// Waiting uses `LIO_NOWAIT` and `aio_suspend(3)`, because `LIO_WAIT` crashes the process when a
  /// signal handler interrupts it.
  ///
  /// - Parameters:
  ///   - mode: Whether to wait until all operations have ended.
  ///   - operations: Reads and writes, at most ``listLimit``; nil is `LIO_NOP`. Each must have the
  ///     notification `.none`: glibc overwrites the result of an operation whose own signal it
  ///     cannot queue.
  ///   - notification: With ``ListMode/noWait``, announces the end of all operations, even of an
  ///     empty list.
  /// - Throws: `EINVAL` for a list that breaks these rules or for an invalid signal number;
  ///   `EFAULT` and `ENOTSUP` as with ``submit()``; in all these cases nothing was started.
  ///   `EAGAIN` if not all operations could be started; those that were have ``isInProgress``. With
  ///   ``ListMode/wait`` also `EIO` when all have ended and one has failed, as its result says; and
  ///   `EINTR` if a signal handler ran, with all operations started and some still in flight.
  public static func list(
    _ mode: ListMode, _ operations: [AIOOperation?], notification: AIONotification = .none
  ) throws(Errno) {
    let members = operations.compactMap { $0 }
    guard operations.count <= listLimit, members.allSatisfy(\.isListable) else {
      throw .invalidArgument
    }
    let notification = mode == .wait ? .none : notification
    try notification.check()
    try start(members, notification: notification)
    guard mode == .wait else { return }
    for operation in members {
      while operation.error() == .nowInProgress {
        try suspend([operation])
      }
    }
    guard members.allSatisfy({ $0.error() == nil }) else { throw .ioError }
  }

  /// Cancels all operations on a descriptor that do not run yet. Wraps `aio_cancel(3)` without a
  /// control block.
  ///
  /// Cancelled operations end with `ECANCELED`, and their results still have to be taken. The
  /// signal of a sync that runs is cancelled too: it comes immediately, before the sync ends.
  ///
  /// - Parameter fileDescriptor: The descriptor of the operations.
  /// - Returns: ``AIOCancelStatus/notCanceled`` if an operation runs and goes on.
  /// - Throws: `EBADF` if the descriptor is not open.
  public static func cancelAll(on fileDescriptor: FileDescriptor) throws(Errno) -> AIOCancelStatus {
    AIOCancelStatus(
      rawValue: try unsafe AIOSystem.live.cancel(fileDescriptor.rawValue, nil))
  }

  /// Closes a descriptor that no operation uses any more. Wraps `close(2)`.
  ///
  /// - Parameter fileDescriptor: An open descriptor.
  /// - Throws: `EBUSY` while an operation on it is queued or runs, including dropped ones; the
  ///   descriptor then stays open. Otherwise the error of `close(2)`; the descriptor is closed all
  ///   the same.
  public static func close(_ fileDescriptor: FileDescriptor) throws(Errno) {
    guard !OperationTable.holdsOperation(on: fileDescriptor.rawValue) else {
      throw .resourceBusy
    }
    try checked(Glibc.close(fileDescriptor.rawValue))
  }

  /// Frees the memory of operations that were dropped in flight and have ended by now. Submitting
  /// and dropping operations do that too.
  ///
  /// - Returns: The number of dropped operations that have not ended.
  @discardableResult
  public static func reclaimDropped() -> Int {
    OperationTable.reapAbandoned()
  }

  private var isListable: Bool {
    notification == .none && !(self is AIOFsync)
  }

  private static func start(
    _ members: [AIOOperation], notification: AIONotification
  ) throws(Errno) {
    try makeReady(members)
    let controls = unsafe members.map { unsafe Optional($0.block.control) }
    do throws(Errno) {
      try OperationTable.submit { () throws(Errno) in
        switch notification {
        case .none:
          try unsafe AIOSystem.live.submitSilentGroup(controls)
        case .signal(let number, let value):
          try unsafe AIOSystem.live.submitGroup(
            controls, signal: number, value: UInt64(bitPattern: Int64(value)))
        }
      }
    } catch {
      let refusedCount = members.count { !$0.keepIfAccepted() }
      if refusedCount > 0 { throw error }
    }
  }

  /// Makes all of them ready, or none.
  private static func makeReady(_ members: [AIOOperation]) throws(Errno) {
    for (index, member) in members.enumerated() {
      do throws(Errno) {
        try member.makeReady()
      } catch {
        for ready in members[..<index] { ready.giveUp() }
        throw error
      }
    }
  }
}
