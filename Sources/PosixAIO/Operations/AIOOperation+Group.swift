internal import CPosixAIO
internal import Glibc
public import SystemPackage

/// What concerns several operations.
extension AIOOperation {
  /// Whether ``list(_:_:notification:)`` waits. The counterpart of `nix`'s `LioMode`.
  public enum ListMode: Equatable, Sendable {
    /// `LIO_WAIT`: returns when all operations are finished.
    case wait
    /// `LIO_NOWAIT`: returns at once.
    case noWait
  }

  /// The most operations in one list. glibc keeps its list on the stack.
  public static let listLimit = 1024

  /// Waits until at least one of the operations is finished. Wraps `aio_suspend(3)`.
  ///
  /// - Parameters:
  ///   - operations: Submitted ones, at least one and at most ``listLimit``.
  ///   - timeout: The longest to wait, by the monotonic clock; nil waits for ever.
  /// - Throws: `EAGAIN` when the time is over; `EINTR` when a signal handler ran, and then it may
  ///   be called again; `EINVAL` for an empty list, one that is too long, or an operation that is
  ///   not in flight; `ENOTSUP` in a process that was forked by one which had used AIO.
  public static func suspend(
    _ operations: [AIOOperation], timeout: Duration? = nil
  ) throws(Errno) {
    guard !operations.isEmpty, operations.count <= listLimit,
      operations.allSatisfy({ $0.state == .inFlight })
    else { throw .invalidArgument }
    // Nobody would ever wake it.
    guard !caio_is_forked_child() else { throw .notSupported }
    let controls = unsafe operations.map { unsafe Optional(UnsafePointer($0.block.control)) }
    // More than a century is for ever, and would not fit in a number of nanoseconds.
    let timeout = timeout.map { min($0, .seconds(1 << 32)) }
    try unsafe AIOSystem.live.suspend(controls, timeout: timeout)
  }

  /// Starts several operations together. Wraps `lio_listio(3)`.
  ///
  /// Waiting is made of `LIO_NOWAIT` and `aio_suspend(3)`, because `LIO_WAIT` crashes the process
  /// when a signal handler interrupts it.
  ///
  /// - Parameters:
  ///   - mode: Whether to wait until all are finished.
  ///   - operations: Reads and writes, at most ``listLimit``; nil is `LIO_NOP`. Each has the
  ///     notification `.none`: glibc overwrites the result of an operation whose own signal it
  ///     cannot queue.
  ///   - notification: Announces the end of all, with ``ListMode/noWait``; also of a list without
  ///     operations.
  /// - Throws: `EINVAL` for a list that breaks the rules above, or a signal number that is none,
  ///   and nothing was started; as with ``submit()``, `EFAULT` and `ENOTSUP`, too. `EAGAIN` if
  ///   not all could be started: those that were have ``isInProgress``. With ``ListMode/wait`` also
  ///   `EIO` when all are finished and one has failed, which its result tells; and `EINTR` when a
  ///   signal handler ran, with all operations started and still in flight.
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

  /// Asks for nothing on a descriptor to run any more that does not run yet. Wraps `aio_cancel(3)`
  /// without a control block.
  ///
  /// Operations that are cancelled finish with `ECANCELED`, and their results are to be taken. The
  /// signal of a sync that runs is cancelled, too: it comes at once, before the sync's end.
  ///
  /// - Parameter fileDescriptor: Whose operations these are.
  /// - Returns: ``AIOCancelStatus/notCanceled`` when an operation runs and goes on.
  /// - Throws: `EBADF` if the descriptor is not open.
  public static func cancelAll(on fileDescriptor: FileDescriptor) throws(Errno) -> AIOCancelStatus {
    AIOCancelStatus(
      rawValue: try unsafe AIOSystem.live.cancel(fileDescriptor.rawValue, nil))
  }

  /// Closes a descriptor that no operation needs any more. Wraps `close(2)`.
  ///
  /// - Parameter fileDescriptor: Open.
  /// - Throws: `EBUSY` while an operation on it is queued or runs, dropped ones included; then it
  ///   stays open. Otherwise what `close(2)` says, and it is closed all the same.
  public static func close(_ fileDescriptor: FileDescriptor) throws(Errno) {
    guard !OperationTable.holdsOperation(on: fileDescriptor.rawValue) else {
      throw .resourceBusy
    }
    try checked(Glibc.close(fileDescriptor.rawValue))
  }

  /// Frees the memory of operations that were dropped in flight and are finished by now. Submitting
  /// and dropping do that too.
  ///
  /// - Returns: The number of dropped operations that still run.
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
            controls, signal: number, ticket: UInt64(bitPattern: Int64(value)))
        }
      }
    } catch {
      let untakenCount = members.count { !$0.keepIfTaken() }
      if untakenCount > 0 { throw error }
    }
  }

  /// All of them or none.
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
