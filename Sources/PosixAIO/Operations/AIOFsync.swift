internal import CPosixAIO
internal import Glibc
public import SystemPackage

/// Makes a file's writes durable. Wraps `aio_fsync(3)`; the counterpart of nix's `AioFsync`.
///
/// It covers the writes of priority 0 that were submitted on the same descriptor number before it.
/// After a failed sync, do not trust a later one that succeeds: the kernel may have dropped the
/// data and forgotten the error.
public final class AIOFsync: AIOOperation, AIO {
  /// What a sync makes durable. The counterpart of nix's `AioFsyncMode`.
  public enum Mode: Equatable, Sendable {
    /// `O_SYNC`: data and metadata.
    case sync
    /// `O_DSYNC`: data, and the metadata that is needed to read it back.
    case dataSync
  }

  /// What the sync makes durable.
  public let mode: Mode

  /// Creates a sync.
  ///
  /// - Parameters:
  ///   - fileDescriptor: Open, in any mode.
  ///   - mode: What to make durable.
  ///   - notification: How the end is announced.
  public init(
    _ fileDescriptor: FileDescriptor, mode: Mode = .sync, notification: AIONotification = .none
  ) {
    self.mode = mode
    super.init(fileDescriptor, priority: 0, notification: notification)
  }

  /// Takes the result of a finished sync, once. Returns if the sync has succeeded.
  ///
  /// - Throws: As ``AIO/takeResult()``.
  public func takeResult() throws(Errno) {
    defer { if !isInProgress { releaseSyncMarker() } }
    _ = try finish()
  }

  override func prepare() throws(Errno) {
    guard !OperationTable.hasWriteThatSyncOvertakes(fileDescriptor.rawValue) else {
      throw .resourceBusy
    }
    unsafe caio_prepare(block.control, Int32(LIO_NOP), fileDescriptor.rawValue, nil, 0, 0)
    unsafe caio_prepare(block.syncMarker, Int32(LIO_READ), fileDescriptor.rawValue, nil, 0, 0)
  }

  /// For a sync with a signal, submits an empty read after it on the same descriptor, whose group
  /// signals. `lio_listio(3)` cannot carry a sync, and a signal of the sync's own could overwrite
  /// its result. glibc runs the two in order.
  override func start() throws(Errno) {
    try unsafe AIOSystem.live.submitSync(block.control, dataOnly: mode == .dataSync)
    guard case .signal(let number, let value) = notification else { return }
    // The sync already runs, so a refused marker must not fail it. As with any signal that cannot
    // be queued, the signal then does not come.
    try? unsafe AIOSystem.live.submitGroup(
      [block.syncMarker], signal: number, value: UInt64(bitPattern: Int64(value)))
  }
}
