internal import Glibc
internal import PosixAIO

/// The resources of a process that have to be given back: descriptors, threads, signal numbers and
/// the calling thread's blocked signals.
public struct ProcessState {
  /// The open descriptors, and what each one is.
  public let descriptors: [Int: String]
  /// See ``ProcessThreads``.
  public let threadCount: Int
  /// The real-time signals that have a handler, or are ignored.
  public let claimedSignals: Set<Int32>
  /// The signals that the calling thread blocks.
  public let blockedSignals: Set<Int32>

  /// How often ``differences()`` checks again. Linux does not report when a detached thread has
  /// ended, nor when glibc has let go of an operation. So this polls, a millisecond apart, for less
  /// than a second.
  private static let pollLimit = 500

  /// The state at this moment.
  public static func now() throws -> ProcessState {
    ProcessState(
      descriptors: try openDescriptors(), threadCount: ProcessThreads.count(),
      claimedSignals: claimedSignalsNow(), blockedSignals: blockedSignalsNow())
  }

  /// What is in use now and was not at this moment, or the other way round: one text for each kind,
  /// none if everything is back within ``pollLimit`` polls.
  public func differences() throws -> [String] {
    var found: [String] = []
    for poll in 0..<Self.pollLimit {
      found = try differencesNow()
      if found.isEmpty { break }
      // A queue that is made frees what the kernel has let go of since its queue ended.
      _ = try CompletionQueue()
      var pause = timespec(tv_sec: 0, tv_nsec: poll < 10 ? 50_000 : 1_000_000)
      unsafe nanosleep(&pause, nil)
    }
    return found
  }

  private func differencesNow() throws -> [String] {
    var found: [String] = []
    let descriptors = try openDescriptors()
    let more = descriptors.filter { self.descriptors[$0.key] == nil }
    let fewer = self.descriptors.filter { descriptors[$0.key] == nil }
    if !more.isEmpty { found.append("descriptors left open: \(more)") }
    if !fewer.isEmpty { found.append("descriptors closed that are another's: \(fewer)") }
    let threadCount = ProcessThreads.count()
    // Fewer are none of the cell's: one of the runtime's has ended.
    if threadCount > self.threadCount {
      found.append("threads: \(threadCount), before \(self.threadCount)")
    }
    let claimed = Self.claimedSignalsNow()
    if claimed != claimedSignals {
      found.append("claimed signals: \(claimed.sorted()), before \(claimedSignals.sorted())")
    }
    let blocked = Self.blockedSignalsNow()
    if blocked != blockedSignals {
      found.append("blocked signals: \(blocked.sorted()), before \(blockedSignals.sorted())")
    }
    return found
  }

  private static func claimedSignalsNow() -> Set<Int32> {
    Set(
      (SIGRTMIN()...SIGRTMAX()).filter { signal in
        var action = sigaction()
        guard unsafe sigaction(signal, nil, &action) == 0 else { return false }
        return unsafe action.__sigaction_handler.sa_handler != nil
      })
  }

  private static func blockedSignalsNow() -> Set<Int32> {
    var mask = sigset_t()
    unsafe pthread_sigmask(SIG_BLOCK, nil, &mask)
    return Set((1...SIGRTMAX()).filter { unsafe sigismember(&mask, $0) == 1 })
  }

  private static func SIGRTMIN() -> Int32 { __libc_current_sigrtmin() }
  private static func SIGRTMAX() -> Int32 { __libc_current_sigrtmax() }
}
