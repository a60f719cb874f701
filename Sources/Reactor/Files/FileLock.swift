internal import Glibc
public import PosixAIO
internal import Synchronization
internal import SystemPackage

/// Locks of file ranges. They are advisory: they bind only processes that also lock.
///
/// A lock belongs to the open file: two files opened from the same path exclude each other, even in
/// one process, and closing the file releases its locks. Wraps `fcntl(2)` with `F_OFD_SETLK`. So
/// these locks and POSIX record locks (`F_SETLK`) exclude each other; `flock(2)` locks are
/// independent.
extension File {
  /// The kind of a lock.
  public enum LockKind: Sendable {
    /// Others may hold shared locks. The file must be open for reading.
    case shared
    /// No one else may hold a lock. The file must be open for writing.
    case exclusive

    fileprivate var type: Int32 {
      switch self {
      case .shared: F_RDLCK
      case .exclusive: F_WRLCK
      }
    }
  }

  /// Takes a lock if it is free, without waiting. Ranges that the file has already locked are
  /// converted to `kind`.
  ///
  /// - Parameters:
  ///   - kind: Shared or exclusive.
  ///   - range: In bytes from the file's start; nil is the whole file, however large it grows.
  ///   - handler: Receives whether the lock was taken; `EBADF` after ``close(_:)``, `EINVAL` for a
  ///     negative or empty range.
  public func tryLock(
    _ kind: LockKind, in range: Range<Int64>? = nil,
    _ handler: @escaping (Result<Bool, FileError>) -> Void
  ) {
    guard let bytes = Self.lockedBytes(range) else { return refuse(.lock, range, handler) }
    let (path, locks) = (path, locks)
    offload(
      as: .lock,
      { (descriptor) throws(FileError) in
        do throws(FileError) {
          try locks.set(kind.type, bytes, of: descriptor, path: path)
          return true
        } catch {
          guard error.isLockHeldElsewhere else { throw error }
          return false
        }
      }, handler)
  }

  /// Takes a lock, and waits while others hold it. Wraps `fcntl(2)` with `F_OFD_SETLKW`.
  ///
  /// The kernel's wait cannot be interrupted. If the request is cancelled or times out, or the loop
  /// ends, the handler is called, and the lock is released as soon as the kernel grants it. Other
  /// locks of the file stay: those that it had in the range, and those that it got meanwhile. Until
  /// then the request occupies its thread, and a ``close(_:)`` of the file waits. The end of the
  /// loop does not wait; in that case the kernel keeps the file and its other locks until then.
  ///
  /// - Parameters:
  ///   - kind: Shared or exclusive.
  ///   - range: As for ``tryLock(_:in:_:)``.
  ///   - timeout: The longest time to wait, more than 0; after it the request fails with
  ///     `ETIMEDOUT`.
  ///   - handler: Called once, when the lock is taken. Fails as ``tryLock(_:in:_:)``; with `EAGAIN`
  ///     if 16 requests of the loop occupy a thread; with `ECANCELED` while the loop is ending.
  /// - Returns: The request; use it to cancel.
  @discardableResult
  public func lock(
    _ kind: LockKind, in range: Range<Int64>? = nil, timeout: Duration? = nil,
    _ handler: @escaping (Result<Void, FileError>) -> Void
  ) -> LockRequest {
    let request = LockRequest(self, range, handler)
    let (bytes, descriptor): (Range<Int64>, SharedDescriptor.Use)
    do throws(Errno) {
      (bytes, descriptor) = try lendForLock(range)
    } catch {
      core.complete { request.fail(error) }
      return request
    }
    let (path, locks) = (path, locks)
    core.offloadCall(.lockWait, as: .lock, path) { () throws(FileError) in
      let delivery = try locks.wait(kind.type, bytes, of: descriptor.descriptor, path: path)
      return LockGrant(delivery, of: locks, descriptor, path: path)
    } _: { [queued] result in
      request.ended(result)
      queued.giveBackDescriptor()
    }
    if let timeout { request.limit(to: timeout) }
    return request
  }

  private func lendForLock(
    _ range: Range<Int64>?
  ) throws(Errno) -> (Range<Int64>, SharedDescriptor.Use) {
    try core.checkUse()
    guard let bytes = Self.lockedBytes(range) else { throw .invalidArgument }
    // The lock's owner may be a connection or timer of this loop, which are gone.
    guard !core.isEnding else { throw .canceled }
    guard core.helpers.mayWaitForLock else { throw .resourceTemporarilyUnavailable }
    return (bytes, try queued.lendDescriptor())
  }

  /// The bytes to lock; nil for a negative or empty range.
  private static func lockedBytes(_ range: Range<Int64>?) -> Range<Int64>? {
    extent(of: range) == nil ? nil : range ?? 0..<Int64.max
  }

  /// Releases this file's locks in a range.
  ///
  /// - Parameters:
  ///   - range: As for ``tryLock(_:in:_:)``.
  ///   - handler: Receives the result. Fails as ``tryLock(_:in:_:)``.
  public func unlock(
    in range: Range<Int64>? = nil, _ handler: @escaping (Result<Void, FileError>) -> Void = { _ in }
  ) {
    guard let bytes = Self.lockedBytes(range) else { return refuse(.lock, range, handler) }
    let (path, locks) = (path, locks)
    offload(
      as: .lock,
      { (descriptor) throws(FileError) in
        try locks.set(F_UNLCK, bytes, of: descriptor, path: path)
      }, handler)
  }

  /// A request that waits for a lock.
  @safe
  public final class LockRequest: @unchecked Sendable {
    private enum State {
      case waiting((Result<Void, FileError>) -> Void)
      case over
    }

    private let file: File
    private let range: Range<Int64>?
    private var state: State
    private var timer: EventLoop.Timer?

    fileprivate init(
      _ file: File, _ range: Range<Int64>?, _ handler: @escaping (Result<Void, FileError>) -> Void
    ) {
      self.file = file
      self.range = range
      state = .waiting(handler)
    }

    /// Stops waiting: the handler receives `ECANCELED`, if it was not called before.
    public func cancel() {
      guard !file.core.hasEnded else { return }
      file.core.checkThread()
      guard case .waiting = state else { return }
      file.core.callNextTurn { [self] in fail(.canceled) }
    }

    fileprivate func limit(to timeout: Duration) {
      require(timeout > .zero, "File: a timeout is more than 0")
      timer = file.loop.schedule(after: timeout) { [self] in fail(.timedOut) }
    }

    fileprivate func fail(_ errno: Errno) {
      finish(
        .failure(
          FileError(
            operation: .lock, path: file.path, offset: range?.lowerBound ?? 0, errno: errno)))
    }

    fileprivate func ended(_ result: Result<LockGrant, FileError>) {
      switch result {
      case .failure(let error): finish(.failure(error))
      case .success(let grant):
        if case .waiting = state {
          grant.keep()
          finish(.success(()))
        } else {
          // The request is over, so the lock is not needed.
          file.core.offloadCall(.fileCall, isCleanUp: true) {
            grant.release()
          } _: { _ in
          }
        }
      }
    }

    private func finish(_ result: Result<Void, FileError>) {
      guard case .waiting(let handler) = state else { return }
      state = .over
      timer?.cancel()
      timer = nil
      handler(result)
    }
  }
}

/// A lock that was taken, on its way to its request. It is released if it does not arrive.
private final class LockGrant: Sendable {
  private let delivery: FileLocks.Delivery
  private let locks: FileLocks
  private let descriptor: SharedDescriptor.Use
  private let path: FilePath

  init(
    _ delivery: FileLocks.Delivery, of locks: FileLocks, _ descriptor: SharedDescriptor.Use,
    path: FilePath
  ) {
    self.delivery = delivery
    self.locks = locks
    self.descriptor = descriptor
    self.path = path
  }

  deinit { release() }

  /// Passes the lock to the file.
  func keep() {
    delivery.isDone.store(true, ordering: .relaxed)
  }

  /// Does nothing if called again.
  func release() {
    guard !delivery.isDone.load(ordering: .relaxed) else { return }
    locks.takeBack(delivery, of: descriptor.descriptor, path: path)
  }
}
