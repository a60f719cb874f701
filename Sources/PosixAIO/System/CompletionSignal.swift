internal import CPosixAIO
internal import Glibc
internal import Synchronization
internal import SystemPackage

/// The real-time signal of one queue and the two ways on which it arrives.
///
/// On threads that block it, that is the creating thread and its later children, the signal stays
/// pending and is read from a signalfd. On any other thread a handler catches it and passes its
/// value on through a pipe. The pipe also carries the queue's own kicks, so that one descriptor
/// wakes the loop for every reason.
@safe
final class CompletionSignal {
  let number: Int32
  let signalDescriptor: Int32
  let pipeDescriptor: Int32
  private let pipeWriteDescriptor: Int32
  private let blockedHere: Bool
  private var seenStrays: UInt64 = 0
  private var isKicked = false
  private var isReleased = false

  /// - Parameter requested: A real-time signal number, or nil for a free one.
  /// - Throws: `EINVAL` if the number is no real-time signal, `EBUSY` if it is in use or no number
  ///   is free, `EMFILE` and its like if there is no descriptor. Nothing stays behind.
  init(_ requested: Int32?) throws(Errno) {
    var ends: (read: Int32, write: Int32) = (-1, -1)
    try checked(unsafe caio_pipe(&ends.read, &ends.write))
    do throws(Errno) {
      number = try Self.claim(requested, pipe: ends.write)
    } catch {
      close(ends.read)
      close(ends.write)
      throw error
    }
    let blocked = caio_signal_block(number)
    let descriptor = caio_signalfd(number)
    guard blocked >= 0, descriptor >= 0 else {
      let reason = Errno.ofLastCall
      if blocked == 1 { caio_signal_unblock(number) }
      caio_signal_release(number)
      close(ends.read)
      throw reason
    }
    signalDescriptor = descriptor
    pipeDescriptor = ends.read
    pipeWriteDescriptor = ends.write
    blockedHere = blocked == 1
  }

  deinit {
    release(keepIgnored: Orphanage.maySend(number))
  }

  /// Gives everything back, once; after that the signal is not used any more.
  ///
  /// - Parameter keepIgnored: Whether the signal may still be sent: its disposition then stays
  ///   `SIG_IGN`, so that it does not end the process. The number is free for other queues.
  func release(keepIgnored: Bool) {
    guard !isReleased else { return }
    seenStrays = strayCount
    isReleased = true
    caio_signal_release(number)
    if keepIgnored { Self.ignore(number) }
    close(signalDescriptor)
    close(pipeDescriptor)
    if blockedHere { caio_signal_unblock(number) }
  }

  /// Signals that landed on threads which do not block the signal, since the start.
  var strayCount: UInt64 { isReleased ? seenStrays : caio_signal_strays(number) }

  /// Whether something may have arrived in the pipe.
  private var hasNews: Bool { isKicked || strayCount != seenStrays }

  /// For a thread that is not the creating one and will read the signals from now on. Where it does
  /// not succeed, the handler passes the signals on.
  func blockInCurrentThread() {
    caio_signal_block(number)
  }

  /// Makes the pipe readable, once until the next ``collect(_:)``.
  func kick() {
    guard !isKicked else { return }
    isKicked = true
    var nothing: UInt64 = 0
    // A full pipe is readable too, which is all that a kick is for.
    _ = unsafe write(pipeWriteDescriptor, &nothing, MemoryLayout<UInt64>.size)
  }

  /// Reads all that has arrived and passes on each ticket.
  ///
  /// - Returns: The number of signals, and whether values were dropped on the way, so that only a
  ///   look at everything in flight finds what they announced.
  func collect(_ body: (UInt64) -> Void) -> (count: Int, overflowed: Bool) {
    var count = unsafe readAll(from: signalDescriptor, body) { descriptor, tickets in
      Int(unsafe caio_signalfd_read(descriptor, tickets.baseAddress, Int32(tickets.count)))
    }
    if hasNews {
      isKicked = false
      seenStrays = strayCount
      count += unsafe readAll(from: pipeDescriptor, body) { descriptor, tickets in
        unsafe read(descriptor, tickets.baseAddress, tickets.count * MemoryLayout<UInt64>.stride)
          / MemoryLayout<UInt64>.stride
      }
    }
    return (count, caio_signal_take_overflow(number))
  }

  private func readAll(
    from descriptor: Int32, _ body: (UInt64) -> Void,
    _ readSome: (Int32, UnsafeMutableBufferPointer<UInt64>) -> Int
  ) -> Int {
    var tickets = InlineArray<32, UInt64>(repeating: 0)
    var total = 0
    while true {
      var span = tickets.mutableSpan
      let count = unsafe span.withUnsafeMutableBufferPointer { unsafe readSome(descriptor, $0) }
      guard count > 0 else { return total }
      for index in 0..<count where tickets[index] != 0 {
        total += 1
        body(tickets[index])
      }
      if count < tickets.count { return total }
    }
  }

  private static func claim(_ requested: Int32?, pipe: Int32) throws(Errno) -> Int32 {
    if let requested {
      try claim(requested, pipe)
      return requested
    }
    // From the top: programs that pick a number by hand start at SIGRTMIN.
    var candidate = caio_sigrtmax()
    while candidate >= caio_sigrtmin() {
      do throws(Errno) {
        try claim(candidate, pipe)
        return candidate
      } catch {
        candidate -= 1
      }
    }
    throw .resourceBusy
  }

  // MARK: Numbers that queues have left ignored

  private static let ignoredNumbers = Mutex<Set<Int32>>([])

  private static func ignore(_ number: Int32) {
    _ = ignoredNumbers.withLock { $0.insert(number) }
    _ = Glibc.signal(number, SIG_IGN)
  }

  private static func claim(_ number: Int32, _ pipe: Int32) throws(Errno) {
    let wasIgnored = ignoredNumbers.withLock { $0.remove(number) != nil }
    if wasIgnored { _ = Glibc.signal(number, SIG_DFL) }
    do throws(Errno) {
      try checked(caio_signal_claim(number, pipe))
    } catch {
      if wasIgnored { ignore(number) }
      throw error
    }
  }
}
