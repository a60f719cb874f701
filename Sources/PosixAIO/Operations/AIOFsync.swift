internal import CPosixAIO
internal import Glibc
public import SystemPackage

/// Brings a file's writes to the disk. Wraps `aio_fsync(3)`; the counterpart of `nix`'s `AioFsync`.
///
/// It covers the writes that were submitted on the same descriptor number before it, with priority
/// 0. After a failed sync, do not trust a later one that succeeds: the kernel may have dropped the
/// data and forgotten the error.
public final class AIOFsync: AIOOperation, AIO {
  /// What is brought to the disk. The counterpart of `nix`'s `AioFsyncMode`.
  public enum Mode: Equatable, Sendable {
    /// `O_SYNC`: data and metadata.
    case sync
    /// `O_DSYNC`: data, and the metadata that is needed to read it back.
    case dataSync
  }

  /// What is brought to the disk.
  public let mode: Mode

  /// Makes a sync.
  ///
  /// - Parameters:
  ///   - fileDescriptor: Open, in any mode.
  ///   - mode: What is brought to the disk.
  ///   - notification: How the end is announced.
  public init(
    _ fileDescriptor: FileDescriptor, mode: Mode = .sync, notification: AIONotification = .none
  ) {
    self.mode = mode
    super.init(fileDescriptor, priority: 0, notification: notification)
  }

  /// Takes the result of a finished sync, once: returns when it has succeeded.
  ///
  /// - Throws: As ``AIO/takeResult()``.
  public func takeResult() throws(Errno) {
    defer { if !isInProgress { letDoorbellGo() } }
    _ = try finish()
  }

  override func prepare() throws(Errno) {
    guard !OperationTable.hasWriteThatSyncOvertakes(fileDescriptor.rawValue) else {
      throw .resourceBusy
    }
    unsafe caio_prepare(block.control, Int32(LIO_NOP), fileDescriptor.rawValue, nil, 0, 0)
    unsafe caio_prepare(block.doorbell, Int32(LIO_READ), fileDescriptor.rawValue, nil, 0, 0)
  }

  /// With a signal, an empty read follows the sync on the same descriptor, and the signal is its
  /// group's: `lio_listio(3)` cannot carry a sync, and a signal of the sync's own could overwrite
  /// its result. glibc runs the two in order.
  override func start() throws(Errno) {
    try unsafe AIOSystem.live.submitSync(block.control, dataOnly: mode == .dataSync)
    guard case .signal(let number, let value) = notification else { return }
    // The sync runs already, so it must not fail for its doorbell: like any signal that cannot be
    // queued, this one then does not come.
    try? unsafe AIOSystem.live.submitGroup(
      [block.doorbell], signal: number, ticket: UInt64(bitPattern: Int64(value)))
  }
}
