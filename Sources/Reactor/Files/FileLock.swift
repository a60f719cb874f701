internal import Glibc
public import PosixAIO
internal import Synchronization
public import SystemPackage

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
  ///   - handler: Gets whether the lock was taken.
  /// - Throws: `EBADF` after ``close(_:)``, `EINVAL` for a negative or an empty range. Nothing was
  ///   started.
  public func tryLock(
    _ kind: LockKind, in range: Range<Int64>? = nil,
    _ handler: @escaping (Result<Bool, FileError>) -> Void
  ) throws(Errno) {
    let (offset, byteCount) = try Self.extent(of: range)
    let path = path
    try offload(
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
  ///   - handler: Called once, when the lock is taken.
  /// - Returns: The request, to cancel it.
  /// - Throws: As ``tryLock(_:in:_:)``; `EAGAIN` if 16 requests of the loop wait already, since
  ///   each takes a thread; `ECANCELED` while the loop is ending. Nothing was started.
  @discardableResult
  public func lock(
    _ kind: LockKind, in range: Range<Int64>? = nil, timeout: Duration? = nil,
    _ handler: @escaping (Result<Void, FileError>) -> Void
  ) throws(Errno) -> LockRequest {
    try core.checkUse()
    let (offset, byteCount) = try Self.extent(of: range)
    // Its owner may be a connection or a timer of this loop, which are gone.
    guard !core.isEnding else { throw .canceled }
    guard core.helpers.mayWaitForLock else { throw .resourceTemporarilyUnavailable }
    let descriptor = try queued.lendDescriptor()
    let request = LockRequest(self, range, handler)
    let path = path
    core.offloadCall(.lockWait, as: .lock, path) { () throws(FileError) in
      try FileSystemCalls.lock(
        descriptor.descriptor, path: path, type: kind.type, waits: true, offset: offset,
        byteCount: byteCount)
      return LockGrant(descriptor, path: path, offset: offset, byteCount: byteCount)
    } _: { [queued] result in
      request.ended(result)
      queued.giveBackDescriptor()
    }
    if let timeout { request.limit(to: timeout) }
    return request
  }

  /// Releases what the file has locked in a range.
  ///
  /// - Parameters:
  ///   - range: As for ``tryLock(_:in:_:)``.
  ///   - handler: Gets the outcome.
  /// - Throws: As ``tryLock(_:in:_:)``.
  public func unlock(
    in range: Range<Int64>? = nil, _ handler: @escaping (Result<Void, FileError>) -> Void = { _ in }
  ) throws(Errno) {
    let (offset, byteCount) = try Self.extent(of: range)
    let path = path
    try offload(
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
      file.core.later { [self] in fail(.canceled) }
    }

    fileprivate func limit(to timeout: Duration) {
      precondition(timeout > .zero, "File: a timeout is more than 0")
      timer = file.loop.schedule(after: timeout) { [self] in fail(.timedOut) }
    }

    private func fail(_ errno: Errno) {
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
