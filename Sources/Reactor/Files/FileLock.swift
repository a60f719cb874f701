internal import Glibc
public import PosixAIO
internal import Synchronization
internal import SystemPackage

/// Locks of ranges of a file, which every process that asks for them respects.
///
/// A lock belongs to the open file: two files opened from the same path exclude each other, also in
/// one process, and closing the file releases its locks. Wraps `fcntl(2)` with `F_OFD_SETLK`, so
/// these locks and POSIX record locks (`F_SETLK`) exclude each other, and those of `flock(2)` are
/// apart.
extension File {
  /// What a lock allows others.
  public enum LockKind: Sendable {
    /// Others may have shared locks. The file must be open for reading.
    case shared
    /// Nobody else may have a lock. The file must be open for writing.
    case exclusive

    fileprivate var type: Int32 {
      switch self {
      case .shared: F_RDLCK
      case .exclusive: F_WRLCK
      }
    }
  }

  /// Takes a lock if nobody is in the way, and waits for nobody. What the file has locked in the
  /// range already is changed to `kind`.
  ///
  /// - Parameters:
  ///   - kind: Shared or exclusive.
  ///   - range: In bytes from the file's start; nil is all of it, however large it grows.
  ///   - handler: Gets whether the lock was taken; `EBADF` after ``close(_:)``, `EINVAL` for a
  ///     negative or an empty range.
  public func tryLock(
    _ kind: LockKind, in range: Range<Int64>? = nil,
    _ handler: @escaping (Result<Bool, FileError>) -> Void
  ) {
    guard let (offset, byteCount) = Self.extent(of: range) else {
      return refuse(.lock, range, handler)
    }
    let path = path
    offload(
      as: .lock,
      { (descriptor) throws(FileError) in
        do throws(FileError) {
          try FileSystemCalls.lock(
            descriptor, path: path, type: kind.type, waits: false, offset: offset,
            byteCount: byteCount)
          return true
        } catch {
          // POSIX allows both for a lock that somebody else has.
          guard [.resourceTemporarilyUnavailable, .permissionDenied].contains(error.errno) else {
            throw error
          }
          return false
        }
      }, handler)
  }

  /// Takes a lock, and waits for as long as somebody is in the way. Wraps `fcntl(2)` with
  /// `F_OFD_SETLKW`.
  ///
  /// The kernel's wait cannot be broken off from here. When the request is cancelled or its time is
  /// over, or the loop ends, its handler is called; the lock is released as soon as it was taken
  /// after all. Until then ``close(_:)`` of the file waits; when the loop ends it does not, and the
  /// kernel keeps the file open, and its other locks, for that long.
  ///
  /// - Parameters:
  ///   - kind: Shared or exclusive.
  ///   - range: As for ``tryLock(_:in:_:)``.
  ///   - timeout: The longest to wait, more than 0; then `ETIMEDOUT` is the outcome.
  ///   - handler: Called once, when the lock is taken. Fails as ``tryLock(_:in:_:)``; with `EAGAIN`
  ///     if 16 requests of the loop wait already, since each takes a thread; with `ECANCELED` while
  ///     the loop is ending.
  /// - Returns: The request, to cancel it.
  @discardableResult
  public func lock(
    _ kind: LockKind, in range: Range<Int64>? = nil, timeout: Duration? = nil,
    _ handler: @escaping (Result<Void, FileError>) -> Void
  ) -> LockRequest {
    let request = LockRequest(self, range, handler)
    let (extent, descriptor): ((offset: Int64, byteCount: Int64), SharedDescriptor.Use)
    do throws(Errno) {
      (extent, descriptor) = try lendForLock(range)
    } catch {
      core.complete { request.fail(error) }
      return request
    }
    let path = path
    core.offloadCall(.lockWait, as: .lock, path) { () throws(FileError) in
      try FileSystemCalls.lock(
        descriptor.descriptor, path: path, type: kind.type, waits: true, offset: extent.offset,
        byteCount: extent.byteCount)
      return LockGrant(
        descriptor, path: path, offset: extent.offset, byteCount: extent.byteCount)
    } _: { [queued] result in
      request.ended(result)
      queued.giveBackDescriptor()
    }
    if let timeout { request.limit(to: timeout) }
    return request
  }

  private func lendForLock(
    _ range: Range<Int64>?
  ) throws(Errno) -> ((offset: Int64, byteCount: Int64), SharedDescriptor.Use) {
    try core.checkUse()
    guard let extent = Self.extent(of: range) else { throw .invalidArgument }
    // Its owner may be a connection or a timer of this loop, which are gone.
    guard !core.isEnding else { throw .canceled }
    guard core.helpers.mayWaitForLock else { throw .resourceTemporarilyUnavailable }
    return (extent, try queued.lendDescriptor())
  }

  /// Releases what the file has locked in a range.
  ///
  /// - Parameters:
  ///   - range: As for ``tryLock(_:in:_:)``.
  ///   - handler: Gets the outcome. Fails as ``tryLock(_:in:_:)``.
  public func unlock(
    in range: Range<Int64>? = nil, _ handler: @escaping (Result<Void, FileError>) -> Void = { _ in }
  ) {
    guard let (offset, byteCount) = Self.extent(of: range) else {
      return refuse(.lock, range, handler)
    }
    let path = path
    offload(
      as: .lock,
      { (descriptor) throws(FileError) in
        try FileSystemCalls.lock(
          descriptor, path: path, type: F_UNLCK, waits: false, offset: offset,
          byteCount: byteCount)
      }, handler)
  }

  /// A lock that is waited for.
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

    /// Stops to wait: the handler gets `ECANCELED`, unless it was called before.
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
          // Nobody waits for it any more.
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

/// A lock that was taken, on its way to whoever waits for it. It is released if it does not get
/// there.
private final class LockGrant: Sendable {
  private let descriptor: SharedDescriptor.Use
  private let path: FilePath
  private let offset: Int64
  private let byteCount: Int64
  private let isKept = Atomic<Bool>(false)

  init(_ descriptor: SharedDescriptor.Use, path: FilePath, offset: Int64, byteCount: Int64) {
    self.descriptor = descriptor
    self.path = path
    self.offset = offset
    self.byteCount = byteCount
  }

  deinit { release() }

  /// It is the file's from now on.
  func keep() {
    isKept.store(true, ordering: .relaxed)
  }

  func release() {
    guard !isKept.exchange(true, ordering: .relaxed) else { return }
    // A failure means that there is nothing to release, and nobody to be told.
    try? FileSystemCalls.lock(
      descriptor.descriptor, path: path, type: F_UNLCK, waits: false, offset: offset,
      byteCount: byteCount)
  }
}
