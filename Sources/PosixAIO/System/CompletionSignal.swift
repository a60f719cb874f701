internal import CPosixAIO
internal import Glibc
internal import SystemPackage

/// The real-time signal of one queue, and the two ways on which it arrives.
///
/// On threads that block it, which are the creating thread and its later children, the signal stays
/// pending and is read from a signalfd. On any other thread a handler catches it and writes its
/// value to a pipe. The queue also wakes itself through this pipe, so that one descriptor wakes the
/// loop for every reason.
@safe
final class CompletionSignal {
  let number: Int32
  let signalDescriptor: Int32
  let pipeDescriptor: Int32

  private let pipeWriteDescriptor: Int32
  private var isKicked = false
  private var isReleased = false
  /// The last ``strayCount`` before the release.
  private var seenStrays: UInt64 = 0

  /// The most reads of one descriptor in one ``collect(_:_:)``, of 32 values each. The rest keeps
  /// the descriptor readable, so that a flood of foreign signals does not hold up the loop.
  private static let readLimit = 64

  /// - Parameter requested: A real-time signal number, or nil for a free one.
  /// - Throws: `EINVAL` if the number is not a real-time signal; `EBUSY` if it is in use, or if no
  ///   number is free; `EMFILE` or a similar error if a descriptor cannot be opened. Nothing stays
  ///   behind.
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

  /// Gives everything back, once. The signal must not be used after that.
  ///
  /// - Parameter leavesOrphans: Whether operations stay in glibc that will still send the signal.
  ///   The number is then ignored, and free for other queues, until ``lastOrphanEnded(ofSignal:)``.
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

  /// The last operation that a queue left behind has ended. Call it once for each
  /// ``release(leavesOrphans:)`` with orphans, after it. The number gets its default disposition
  /// back if no queue uses it. Any thread may call it.
  static func lastOrphanEnded(ofSignal number: Int32) {
    let wasLeft = caio_signal_restore(number)
    require(wasLeft, "CompletionSignal: no queue has left operations with this signal")
  }

  /// The number of signals since the start that arrived on threads which do not block the signal.
  var strayCount: UInt64 { isReleased ? seenStrays : caio_signal_strays(number) }

  /// Blocks the signal in a thread that reads it from now on. If that fails, the handler passes the
  /// signals on.
  func blockInCurrentThread() {
    caio_signal_block(number)
  }

  /// Restores the signal mask that the calling thread had before, if it was changed here. From now
  /// on the handler passes on the signals that arrive on it.
  func unblockInCurrentThread() {
    caio_signal_unblock(number)
  }

  /// Makes the pipe readable, once until it is read.
  func kick() {
    guard !isKicked else { return }
    isKicked = true
    var nothing: UInt64 = 0
    // If the pipe is full, it is readable already, which is the purpose of a kick.
    _ = unsafe write(pipeWriteDescriptor, &nothing, MemoryLayout<UInt64>.size)
  }

  /// Reads the signals that have arrived, and passes their values to `body`.
  ///
  /// - Parameter sources: The readable descriptors. No others are read.
  /// - Returns: The number of signals, and whether values were dropped, so that only a check of
  ///   everything in flight finds what they announced.
  func collect(
    _ sources: QueueSources, _ body: (UInt64) -> Void
  ) -> (count: Int, overflowed: Bool) {
    var count = 0
    if sources.contains(.signal) {
      count += unsafe readAll(from: signalDescriptor, body) { descriptor, values in
        Int(unsafe caio_signalfd_read(descriptor, values.baseAddress, Int32(values.count)))
      }
    }
    guard sources.contains(.pipe) else { return (count, false) }
    isKicked = false
    count += unsafe readAll(from: pipeDescriptor, body) { descriptor, values in
      unsafe read(descriptor, values.baseAddress, values.count * MemoryLayout<UInt64>.stride)
        / MemoryLayout<UInt64>.stride
    }
    // After the pipe was read: the handler sets the flag before it makes the pipe readable.
    return (count, caio_signal_take_overflow(number))
  }

  // MARK: - What a loop has read itself

  /// In bytes, the size of the buffer for one read of a descriptor: 32 signals.
  static let readByteCount = 32 * signalRecordByteCount

  /// The size of `signalfd_siginfo`, and of what the handler writes.
  private static let signalRecordByteCount = 128
  private static let pipeRecordByteCount = MemoryLayout<UInt64>.size

  /// Passes the values of signals that were read from ``signalDescriptor`` to `body`.
  ///
  /// - Returns: The number of signals.
  func receiveSignals(_ bytes: RawSpan, _ body: (UInt64) -> Void) -> Int {
    Self.records(of: bytes, Self.signalRecordByteCount) { record in
      unsafe record.withUnsafeBytes { bytes in
        // It is not empty.
        unsafe bytes.baseAddress.map { unsafe caio_signalfd_value($0) } ?? 0
      }
    } _: {
      body($0)
    }
  }

  /// Passes the values that were read from ``pipeDescriptor`` to `body`.
  ///
  /// - Returns: As ``collect(_:_:)``.
  func receiveFromPipe(
    _ bytes: RawSpan, _ body: (UInt64) -> Void
  ) -> (count: Int, overflowed: Bool) {
    isKicked = false
    let count = Self.records(of: bytes, Self.pipeRecordByteCount) { record in
      unsafe record.unsafeLoadUnaligned(as: UInt64.self)
    } _: {
      body($0)
    }
    return (count, caio_signal_take_overflow(number))
  }

  private static func records(
    of bytes: RawSpan, _ byteCount: Int, _ value: (RawSpan) -> UInt64, _ body: (UInt64) -> Void
  ) -> Int {
    require(
      bytes.byteCount.isMultiple(of: byteCount),
      "CompletionQueue: a source was read with too little room for its records")
    var count = 0
    for start in stride(from: 0, to: bytes.byteCount, by: byteCount) {
      let value = value(bytes.extracting(start..<start + byteCount))
      guard value != 0 else { continue }
      count += 1
      body(value)
    }
    return count
  }

  private func readAll(
    from descriptor: Int32, _ body: (UInt64) -> Void,
    _ readSome: (Int32, UnsafeMutableBufferPointer<UInt64>) -> Int
  ) -> Int {
    var values = InlineArray<32, UInt64>(repeating: 0)
    var total = 0
    for _ in 0..<Self.readLimit {
      var span = values.mutableSpan
      let count = unsafe span.withUnsafeMutableBufferPointer { unsafe readSome(descriptor, $0) }
      guard count > 0 else { break }
      for index in 0..<count where values[index] != 0 {
        total += 1
        body(values[index])
      }
      if count < values.count { break }
    }
    return total
  }

  private static func claim(_ requested: Int32?, pipe: Int32) throws(Errno) -> Int32 {
    if let requested {
      try checked(caio_signal_claim(requested, pipe))
      return requested
    }
    // From the top, since programs that choose a number themselves start at SIGRTMIN.
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
