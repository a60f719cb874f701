import Glibc
import PosixAIO
import Reactor
import SystemPackage

/// Opens files below a folder, and keeps them open for a moment with their metadata, so that what
/// many ask for is opened once. Also kept is that a name is a folder's, or nobody's.
///
/// **How old a result may be.** A result tells how things were at most ``Configuration/validity``
/// before it was asked for, and a tick of the kernel's clock (10 ms or less). What is older is
/// opened again before anything is served: if it is the same version, the file that is open
/// already goes on to be used. So a file that was replaced, removed or made by somebody else is
/// noticed within that time, and by ``invalidate(_:)`` at once. A file that is written to in place
/// has new bytes at once, and its old size and time for as long.
///
/// **How much is kept.** At most ``Configuration/limit`` open files, and as many other names;
/// the least recently used go first. A file takes one descriptor; one that several read from the
/// disk at the same time takes more, up to the queue's `lanesPerFile`, until it is closed. What has
/// not served for ``Configuration/inactivity`` goes by itself. When there are no more descriptors,
/// all files go that nobody reads, and the open is tried once more.
///
/// A loop has its own, which belongs to its thread. As long as something is kept, a timer of the
/// loop keeps this object.
final class OpenFiles {
  /// Gets a regular file. `EISDIR` stands for a folder, and `EACCES` for what is neither: a device
  /// or a pipe may have no end.
  typealias Handler = (Result<OpenFile, FileError>) -> Void

  /// Opens a file of the folder; never calls from inside the call.
  typealias Opener = (FilePath, @escaping (Result<File, FileError>) -> Void) -> Void

  /// An open under way, and who waits for it.
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

  private let folder: Directory
  private let openFile: Opener
  private let configuration: Configuration
  private let validity: Int64
  private let clock: () -> Int64

  private var table: OpenFileTable
  private var keeps: Bool
  /// The last one of each path.
  private var lookups: [PathKey: Lookup] = [:]
  /// Set while anything is kept.
  private var timer: EventLoop.Timer?
  /// Idle files whose descriptors are not free yet, and who waits for them.
  private var closingCount = 0
  private var starved: [Lookup] = []
  private var hitCount: UInt64 = 0
  private var missCount: UInt64 = 0

  /// - Parameters:
  ///   - folder: Whose loop this is for.
  ///   - clock: Tells the time in nanoseconds; by default that of a coarse monotonic clock.
  ///   - opener: By default opens without waiting for the other end, should the name be a pipe's.
  init(
    in folder: Directory, _ configuration: Configuration = Configuration(),
    clock: @escaping () -> Int64 = coarseTime, opener: Opener? = nil
  ) {
    configuration.check()
    self.configuration = configuration
    self.clock = clock
    self.folder = folder
    openFile =
      opener ?? { path, handler in
        folder.openFile(path, .readOnly, options: .nonBlocking, handler)
      }
    validity = configuration.validity.nanoseconds
    table = OpenFileTable(limit: max(1, configuration.limit))
    keeps = configuration.limit > 0
  }

  /// What has been done so far, and is kept now.
  var figures: Figures {
    Figures(
      hitCount: hitCount, missCount: missCount, fileCount: table.fileCount,
      nameCount: table.nameCount)
  }

  /// The result that is kept of a path, if it is fresh enough.
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
  ///   - key: Of the path, relative to the folder.
  ///   - handler: Called once; **from inside this call** if the result is kept.
  func open(_ key: PathKey, _ handler: @escaping Handler) {
    if let result = keptResult(of: key) { return handler(result) }
    guard keeps else { return openFile(key.path) { handler(Self.outcome($0)) } }
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

  /// Forgets what is known of a path: somebody on this loop has changed it. Who asks from now on
  /// gets what there is then.
  func invalidate(_ key: PathKey) {
    lookups[key] = nil
    table.remove(key)
  }

  /// Lets go of everything, and keeps nothing from now on. Files can still be opened.
  func close() {
    keeps = false
    timer?.cancel()
    timer = nil
    lookups = [:]
    table = OpenFileTable(limit: 1)
  }

  /// Lets go of what has not served for the time of ``Configuration/inactivity``.
  func removeInactive() {
    table.removeUnused(since: clock() - configuration.inactivity.nanoseconds)
  }

  // MARK: - Lookups

  private func start(_ lookup: Lookup) {
    openFile(lookup.key.path) { [self] result in finish(lookup, result) }
  }

  private func finish(_ lookup: Lookup, _ result: Result<File, FileError>) {
    if case .failure(let error) = result, error.errno.isLackOfDescriptors, !lookup.wasRepeated {
      lookup.wasRepeated = true
      if closeIdleFiles() { return starved.append(lookup) }
    }
    var outcome = Self.outcome(result)
    // One that was overtaken, by a change or by a later one, is good for those who waited for it.
    if lookups[lookup.key] === lookup {
      lookups[lookup.key] = nil
      outcome = kept(outcome, of: lookup)
    }
    for handler in lookup.waiting { handler(outcome) }
  }

  /// What is served is always a regular file.
  private static func outcome(_ result: Result<File, FileError>) -> Result<OpenFile, FileError> {
    result.flatMap { file in
      let errno: Errno
      switch file.openingStatus.kind {
      case .regular: return .success(OpenFile(file))
      case .directory: errno = .isDirectory
      case .symbolicLink, .other: errno = .permissionDenied
      }
      file.close()
      return .failure(FileError(operation: .open, path: file.path, errno: errno))
    }
  }

  /// Keeps what is worth it.
  ///
  /// - Returns: What is to be served: the file that was kept before, if it is the same still.
  private func kept(
    _ outcome: Result<OpenFile, FileError>, of lookup: Lookup
  ) -> Result<OpenFile, FileError> {
    // What is kept already is too old to be served, and is asked about again.
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

  /// In bytes. Whoever asks for longer ones shall not fill the memory with them.
  private static let longestPath = 1024

  // MARK: - Descriptors

  /// Closes what nobody reads.
  ///
  /// - Returns: Whether there will be descriptors when that is done; then those that are starved
  ///   are looked up again.
  private func closeIdleFiles() -> Bool {
    let idle = table.takeIdleFiles()
    closingCount += idle.count
    for file in idle {
      file.close { [self] in
        closingCount -= 1
        if closingCount == 0 { feed() }
      }
    }
    return closingCount > 0
  }

  private func feed() {
    let fed = starved
    starved = []
    for lookup in fed { start(lookup) }
  }

  // MARK: - Inactivity

  private func startTimerIfNeeded() {
    guard timer == nil, let use = table.leastRecentUse else { return }
    let rest = configuration.inactivity - .nanoseconds(clock() - use)
    timer = folder.loop.schedule(after: max(rest, configuration.timerInterval)) { [self] in
      timer = nil
      removeInactive()
      startTimerIfNeeded()
    }
  }
}

/// The time of the monotonic clock at its last tick, in nanoseconds: a quarter of the price of the
/// exact one. Wraps `clock_gettime(2)`.
func coarseTime() -> Int64 {
  var time = timespec()
  // It fails for clocks that there are not.
  _ = unsafe clock_gettime(CLOCK_MONOTONIC_COARSE, &time)
  return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
}

extension Errno {
  fileprivate var isLackOfDescriptors: Bool {
    self == .tooManyOpenFiles || self == .tooManyOpenFilesInSystem
  }
}

extension Result where Success == OpenFile, Failure == FileError {
  /// Whether it tells what a name stands for, and not only what went wrong this time.
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
