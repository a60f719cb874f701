internal import CPosixAIO
internal import Glibc
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
  private var isKicked = false
  private var isReleased = false
  /// What ``strayCount`` was when the signal was released.
  private var seenStrays: UInt64 = 0

  /// The most readings of one descriptor in one ``collect(_:_:)``, of 32 values each. What is left
  /// keeps the descriptor readable, so that a flood of foreign signals does not hold the loop up.
  private static let readLimit = 64

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
    do throws(Errno) {
      try checked(caio_signal_block(number))
      signalDescriptor = try checked(caio_signalfd(number))
    } catch {
      caio_signal_release(number, false)
      caio_signal_unblock(number)
      close(ends.read)
      throw error
    }
    pipeDescriptor = ends.read
    pipeWriteDescriptor = ends.write
  }

  deinit {
    release(leavesOrphans: false)
  }

  /// Gives everything back, once; after that the signal is not used any more.
  ///
  /// - Parameter leavesOrphans: Whether operations stay behind in glibc that will still send the
  ///   signal. The number is then ignored, and free for other queues, until
  ///   ``lastOrphanEnded(ofSignal:)``.
  func release(leavesOrphans: Bool) {
    guard !isReleased else { return }
    seenStrays = strayCount
    isReleased = true
    caio_signal_release(number, leavesOrphans)
    close(signalDescriptor)
    close(pipeDescriptor)
    // Only if this thread's mask was changed for the signal.
    caio_signal_unblock(number)
  }

  /// The last operation that a signal left behind has ended: to be called once for each that went
  /// with ``release(leavesOrphans:)``, after it. The number gets its default disposition back when
  /// nobody uses it. Any thread may call it.
  static func lastOrphanEnded(ofSignal number: Int32) {
    let wasLeft = caio_signal_restore(number)
    require(wasLeft, "CompletionSignal: no queue has left operations to this signal")
  }

  /// Signals that landed on threads which do not block the signal, since the start.
  var strayCount: UInt64 { isReleased ? seenStrays : caio_signal_strays(number) }

  /// For a thread that is not the creating one and will read the signals from now on. Where it does
  /// not succeed, the handler passes the signals on.
  func blockInCurrentThread() {
    caio_signal_block(number)
  }

  /// Gives the calling thread the mask back that it had, as far as it was changed here. The handler
  /// passes on what arrives on it from now on.
  func unblockInCurrentThread() {
    caio_signal_unblock(number)
  }

  /// Makes the pipe readable, once until it is read.
  func kick() {
    guard !isKicked else { return }
    isKicked = true
    var nothing: UInt64 = 0
    // A full pipe is readable too, which is all that a kick is for.
    _ = unsafe write(pipeWriteDescriptor, &nothing, MemoryLayout<UInt64>.size)
  }

  /// Reads what has arrived, and passes on each ticket.
  ///
  /// - Parameter sources: The descriptors that are readable. No other is read.
  /// - Returns: The number of signals, and whether values were dropped on the way, so that only a
  ///   look at everything in flight finds what they announced.
  func collect(
    _ sources: QueueSources, _ body: (UInt64) -> Void
  ) -> (count: Int, overflowed: Bool) {
    var count = 0
    if sources.contains(.signal) {
      count += unsafe readAll(from: signalDescriptor, body) { descriptor, tickets in
        Int(unsafe caio_signalfd_read(descriptor, tickets.baseAddress, Int32(tickets.count)))
      }
    }
    guard sources.contains(.pipe) else { return (count, false) }
    isKicked = false
    count += unsafe readAll(from: pipeDescriptor, body) { descriptor, tickets in
      unsafe read(descriptor, tickets.baseAddress, tickets.count * MemoryLayout<UInt64>.stride)
        / MemoryLayout<UInt64>.stride
    }
    // After the pipe was read: whoever sets the flag makes the pipe readable afterwards.
    return (count, caio_signal_take_overflow(number))
  }

  private func readAll(
    from descriptor: Int32, _ body: (UInt64) -> Void,
    _ readSome: (Int32, UnsafeMutableBufferPointer<UInt64>) -> Int
  ) -> Int {
    var tickets = InlineArray<32, UInt64>(repeating: 0)
    var total = 0
    for _ in 0..<Self.readLimit {
      var span = tickets.mutableSpan
      let count = unsafe span.withUnsafeMutableBufferPointer { unsafe readSome(descriptor, $0) }
      guard count > 0 else { break }
      for index in 0..<count where tickets[index] != 0 {
        total += 1
        body(tickets[index])
      }
      if count < tickets.count { break }
    }
    return total
  }

  private static func claim(_ requested: Int32?, pipe: Int32) throws(Errno) -> Int32 {
    if let requested {
      try checked(caio_signal_claim(requested, pipe))
      return requested
    }
    // From the top: programs that pick a number by hand start at SIGRTMIN.
    var candidate = caio_sigrtmax()
    while candidate >= caio_sigrtmin() {
      do throws(Errno) {
        try checked(caio_signal_claim(candidate, pipe))
        return candidate
      } catch {
        candidate -= 1
      }
    }
    throw .resourceBusy
  }
}
