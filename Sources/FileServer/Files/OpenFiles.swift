import Glibc
import PosixAIO
import Reactor
import SystemPackage

/// Opens files below a directory and keeps them open for a short time with their metadata, so a
/// popular file is opened once. It also remembers which names are directories or cannot be opened.
///
/// **Age of a result.** A result describes the file system at most ``Configuration/validity``
/// before the request, plus one tick of the kernel clock (10 ms or less). An older result is
/// checked by opening the file again; if it is the same version, the file that is already open
/// stays in use. A file that another process replaces, removes or creates is therefore noticed
/// within that time, and after ``invalidate(_:)`` immediately. A file that is written in place
/// shows its new bytes immediately, and its old size and time for at most that long.
///
/// **Limits.** At most ``Configuration/limit`` files are kept open, and as many other names; the
/// least recently used are dropped first. A file uses one descriptor. Concurrent reads of it from
/// the disk use more, up to the `lanesPerFile` of the queue, until it is closed. Entries that are
/// not used for ``Configuration/inactivity`` are dropped. If the process runs out of descriptors,
/// all files that are not being read are closed, and the open is tried once more.
///
/// Each loop has its own cache, which belongs to its thread. While the cache has entries, a timer
/// of the loop keeps it alive.
final class OpenFiles {
  /// Receives a regular file. `EISDIR` means a directory. `EACCES` also means any other kind of
  /// file, because a device or a pipe may have no end.
  typealias Handler = (Result<OpenFile, FileError>) -> Void

  /// Opens a file of the directory; must not call back from inside the call.
  typealias Opener = (FilePath, @escaping (Result<File, FileError>) -> Void) -> Void

  /// An open in progress, and the callbacks that wait for it.
  private final class Lookup {
    let key: PathKey
    let start: Int64
    var waiting: [Handler]
    var wasRepeated = false

    init(_ key: PathKey, start: Int64, _ handler: @escaping Handler) {
      self.key = key
      self.start = start
      waiting = [handler]
    }
  }

  private let directory: Directory
  private let openFile: Opener
  private let configuration: Configuration
  private let validity: Int64
  private let clock: () -> Int64

  private var table: OpenFileTable
  private var keeps: Bool
  /// The latest lookup of each path.
  private var lookups: [PathKey: Lookup] = [:]
  /// Set while the cache has entries.
  private var timer: EventLoop.Timer?
  /// The number of idle files whose descriptors are not free yet, and the lookups that wait for
  /// them.
  private var closingCount = 0
  private var waitingForDescriptors: [Lookup] = []
  private var hitCount: UInt64 = 0
  private var missCount: UInt64 = 0

  /// - Parameters:
  ///   - directory: The directory; its loop is the loop of the cache.
  ///   - clock: Returns the time in nanoseconds; by default a coarse monotonic clock.
  ///   - opener: Opens a file. By default, it does not wait for the other end of a pipe.
  init(
    in directory: Directory, _ configuration: Configuration = Configuration(),
    clock: @escaping () -> Int64 = coarseTime, opener: Opener? = nil
  ) {
    configuration.check()
    self.configuration = configuration
    self.clock = clock
    self.directory = directory
    openFile =
      opener ?? { path, handler in
        directory.openFile(path, .readOnly, options: .nonBlocking, handler)
      }
    validity = configuration.validity.nanoseconds
    table = OpenFileTable(limit: max(1, configuration.limit))
    keeps = configuration.limit > 0
  }

  /// Statistics of the cache.
  var statistics: Statistics {
    Statistics(
      hitCount: hitCount, missCount: missCount, fileCount: table.fileCount,
      nameCount: table.nameCount)
  }

  /// The kept result for a path, if it is recent enough.
  func keptResult(of key: PathKey) -> Result<OpenFile, FileError>? {
    guard keeps, let entry = table[key] else { return nil }
    let now = clock()
    guard now - entry.checked < validity, let outcome = entry.outcome else { return nil }
    hitCount += 1
    table.touch(entry, at: now)
    return outcome
  }

  /// Opens a file.
  ///
  /// - Parameters:
  ///   - key: The key of a path relative to the directory.
  ///   - handler: Called once; **from inside this call** if the result is kept.
  func open(_ key: PathKey, _ handler: @escaping Handler) {
    if let result = keptResult(of: key) { return handler(result) }
    guard keeps else { return openFile(key.path) { [self] in handler(outcome($0)) } }
    let now = clock()
    if let lookup = lookups[key], now - lookup.start < validity {
      hitCount += 1
      lookup.waiting.append(handler)
      return
    }
    missCount += 1
    let lookup = Lookup(key, start: now, handler)
    lookups[key] = lookup
    start(lookup)
  }

  /// Drops the result for a path, because code on this loop has changed the file. Later requests
  /// see the new state.
  func invalidate(_ key: PathKey) {
    lookups[key] = nil
    table.remove(key)
  }

  /// Drops all entries, and keeps none from now on. Files can still be opened.
  func close() {
    keeps = false
    timer?.cancel()
    timer = nil
    lookups = [:]
    table = OpenFileTable(limit: 1)
  }

  /// Drops entries that were not used for ``Configuration/inactivity``.
  func removeInactive() {
    table.removeUnused(since: clock() - configuration.inactivity.nanoseconds)
  }

  // MARK: - Lookups

  private func start(_ lookup: Lookup) {
    openFile(lookup.key.path) { [self] result in finish(lookup, result) }
  }

  private func finish(_ lookup: Lookup, _ result: Result<File, FileError>) {
    if case .failure(let error) = result, error.errno.meansNoDescriptors, !lookup.wasRepeated {
      lookup.wasRepeated = true
      if closeIdleFiles() { return waitingForDescriptors.append(lookup) }
    }
    var outcome = outcome(result)
    // A lookup that a change or a later lookup has superseded still serves its own waiters.
    if lookups[lookup.key] === lookup {
      lookups[lookup.key] = nil
      outcome = kept(outcome, of: lookup)
    }
    for handler in lookup.waiting { handler(outcome) }
  }

  /// Accepts regular files only.
  private func outcome(_ result: Result<File, FileError>) -> Result<OpenFile, FileError> {
    result.flatMap { file in
      let errno: Errno
      switch file.openingStatus.kind {
      case .regular: return .success(OpenFile(file, cacheControl: configuration.cacheControl))
      case .directory: errno = .isDirectory
      case .symbolicLink, .other: errno = .permissionDenied
      }
      file.close()
      return .failure(FileError(operation: .open, path: file.path, errno: errno))
    }
  }

  /// Keeps a result that is worth it.
  ///
  /// - Returns: The result to serve: the file that was already kept, if it is the same version.
  private func kept(
    _ outcome: Result<OpenFile, FileError>, of lookup: Lookup
  ) -> Result<OpenFile, FileError> {
    // An existing entry is too old to serve, and this lookup checks it.
    guard outcome.isLasting, lookup.key.byteCount <= Self.longestPath else { return outcome }
    if let entry = table[lookup.key], case .success(let new) = outcome,
      let keptOutcome = entry.outcome, case .success(let old) = keptOutcome,
      old.isSameVersion(as: new)
    {
      entry.checked = lookup.start
      table.touch(entry, at: clock())
      return keptOutcome
    }
    table.insert(
      OpenFileEntry(lookup.key, outcome, checked: lookup.start, used: clock()))
    startTimerIfNeeded()
    return outcome
  }

  /// In bytes. Requests for longer paths must not fill the memory.
  private static let longestPath = 1024

  // MARK: - Descriptors

  /// Closes the files that are not being read.
  ///
  /// - Returns: Whether closing will free descriptors; the waiting lookups are then repeated.
  private func closeIdleFiles() -> Bool {
    let idle = table.takeIdleFiles()
    closingCount += idle.count
    for file in idle {
      file.close { [self] in
        closingCount -= 1
        if closingCount == 0 { repeatWaitingLookups() }
      }
    }
    return closingCount > 0
  }

  private func repeatWaitingLookups() {
    let repeated = waitingForDescriptors
    waitingForDescriptors = []
    for lookup in repeated { start(lookup) }
  }

  // MARK: - Inactivity

  private func startTimerIfNeeded() {
    guard timer == nil, let use = table.leastRecentUse else { return }
    let rest = configuration.inactivity - .nanoseconds(clock() - use)
    timer = directory.loop.schedule(after: max(rest, configuration.timerInterval)) { [self] in
      timer = nil
      removeInactive()
      startTimerIfNeeded()
    }
  }
}

/// Returns the time of the monotonic clock at its last tick, in nanoseconds. It costs a quarter of
/// the exact time. Wraps `clock_gettime(2)`.
func coarseTime() -> Int64 {
  var time = timespec()
  // It fails only for clocks that do not exist.
  _ = unsafe clock_gettime(CLOCK_MONOTONIC_COARSE, &time)
  return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
}

extension Errno {
  fileprivate var meansNoDescriptors: Bool {
    self == .tooManyOpenFiles || self == .tooManyOpenFilesInSystem
  }
}

extension Result where Success == OpenFile, Failure == FileError {
  /// Whether the result describes the name itself, and not a temporary failure.
  fileprivate var isLasting: Bool {
    switch self {
    case .success: true
    case .failure(let error):
      switch error.errno {
      case .noSuchFileOrDirectory, .notDirectory, .isDirectory, .permissionDenied: true
      default: false
      }
    }
  }
}
