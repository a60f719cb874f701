internal import Glibc
internal import PosixAIO
internal import SystemPackage

/// Sends a range.
protocol OutgoingRangeOwner: AnyObject {
  /// Bytes that were not ready are ready now. Never called inside a call to the range.
  func rangeIsReady()
}

/// A file range in a connection's output, and how its bytes reach the socket.
///
/// It is sent by `sendfile(2)`, window by window, if no page of the window or of the kernel's
/// read-ahead after it is missing from the page cache, and no part of the window is doubted
/// (``CacheDoubts``). Everything else is read by AIO, ahead and in chunks. A small cached range
/// usually does not get here: it is copied when it is written.
///
/// **Guaranteed.** `sendfile(2)` is not called for missing pages, nor for pages that this process
/// has started to read or may have caused to be read ahead: a socket's turn does not wait for the
/// disk because of its own client or its neighbours.
///
/// **Not guaranteed.** The loop may still wait for the disk in three cases: another process is
/// reading the pages at that moment; the kernel reclaims them between the query and the call, or
/// within ``ProvenRange/validity`` if it does not say what is cached; or a device reads ahead more
/// than ``ReadAhead/longestReach``. The bytes are correct in every case.
@safe
final class OutgoingRange {
  /// The most bytes per `sendfile(2)`.
  static let windowByteCount: Int64 = 256 * 1024

  /// How the next bytes reach the socket.
  enum Readiness {
    /// From memory.
    case bytes
    /// From the page cache: `byteCount` bytes.
    case file(byteCount: Int)
    /// After they have been read.
    case waiting
    /// No bytes are left.
    case ended
    case failed(PumpError.Reason)
  }

  enum State {
    case open, ended
    case failed(PumpError.Reason)
  }

  let file: File
  let start: Int64
  let end: Int64
  /// Whether a shorter file is acceptable.
  let mayEndEarlier: Bool
  let configuration: FileReader.Configuration
  private let handler: Pump.Handler?
  /// Nil if the file was closed before, and after the range's end.
  var use: SharedDescriptor.Use?
  let descriptor: Int32

  /// The offset of the next unsent byte.
  var offset: Int64
  /// The file's end as far as is known.
  var fileEnd: Int64
  var hasAskedForEnd = false
  var state = State.open
  var reader: FileReader?
  var isWaiting = false
  private var memory: UnsafeMutableRawBufferPointer?
  /// The unsent bytes in memory. The first is at ``offset`` of the file.
  var unsent = 0..<0

  /// Told when bytes become ready that were not. It closes, and so stops the range, before it goes
  /// away.
  unowned var owner: (any OutgoingRangeOwner)?

  /// - Parameters:
  ///   - range: The offset of the first byte, and the offset after the last.
  ///   - mayEndEarlier: Whether a shorter file is acceptable. A closed file is always a failure.
  init(
    _ file: File, _ range: Range<Int64>, mayEndEarlier: Bool,
    _ configuration: FileReader.Configuration, _ handler: Pump.Handler?
  ) {
    configuration.check()
    require(range.lowerBound >= 0, "File: an offset must be 0 or more")
    do throws(Errno) {
      let use = try file.queued.lendDescriptor()
      self.use = use
      descriptor = use.rawValue
    } catch {
      descriptor = -1
      let error = FileError(
        operation: .read, path: file.path, offset: range.lowerBound, errno: error)
      state = .failed(.file(error))
    }
    self.file = file
    (start, end) = (range.lowerBound, range.upperBound)
    self.mayEndEarlier = mayEndEarlier
    self.configuration = configuration
    self.handler = handler
    offset = start
    fileEnd = file.openingStatus.byteCount
  }

  deinit { unsafe memory?.deallocate() }

  var core: LoopCore { file.core }

  /// The number of bytes sent.
  var doneByteCount: Int64 { offset - start }

  /// The number of bytes still to send, as far as is known.
  var byteCount: Int {
    if case .open = state {} else { return unsent.count }
    return max(unsent.count, Int(max(0, (mayEndEarlier ? min(end, fileEnd) : end) - offset)))
  }

  /// Whether everything was sent.
  var isSpent: Bool {
    switch state {
    case .open: offset == end
    case .ended: unsent.isEmpty
    case .failed: false
    }
  }

  /// The unsent bytes in memory.
  func bytes(atMost byteCount: Int) -> UnsafeRawBufferPointer {
    guard let memory = unsafe memory else {
      return unsafe UnsafeRawBufferPointer(start: nil, count: 0)
    }
    return unsafe UnsafeRawBufferPointer(rebasing: memory[unsent].prefix(byteCount))
  }

  /// Whether all remaining bytes are in memory.
  var isInMemory: Bool { offset + Int64(unsent.count) == end }

  // MARK: Memory

  func keep(_ buffer: consuming IOBuffer, _ byteCount: Int) {
    unsafe memory = buffer.relinquish()
    unsent = 0..<byteCount
  }

  private func giveMemoryBack() {
    unsent = 0..<0
    guard let memory = unsafe memory.take() else { return }
    core.chunks.give(unsafe IOBuffer(adopting: memory, count: 0))
  }

  // MARK: Sending

  /// Removes sent bytes from memory.
  ///
  /// - Returns: The number of bytes removed.
  func removeFirst(_ byteCount: Int) -> Int {
    let count = min(byteCount, unsent.count)
    guard count > 0 else { return 0 }
    unsent = unsent.lowerBound + count..<unsent.upperBound
    offset += Int64(count)
    core.counters.statistics.copiedFileByteCount += UInt64(count)
    if unsent.isEmpty { giveMemoryBack() }
    return count
  }

  /// Sends the bytes from the page cache that ``prepare(isCopying:)`` announced.
  ///
  /// - Returns: The result of `sendfile(2)`; nil if the range must be prepared again, since the
  ///   kernel refuses the call for this file or the file has become shorter.
  func send(_ byteCount: Int, to socket: Int32) throws(Errno) -> Int? {
    let count = core.fileCalls.send(byteCount, of: descriptor, at: offset, to: socket)
    let reason = Errno.ofLastCall
    guard count >= 0 else {
      guard Self.isRefusal(reason) else { throw reason }
      noteRefusal(reason)
      return nil
    }
    guard count > 0 else {
      state = mayEndEarlier ? .ended : .failed(.endOfFile)
      return nil
    }
    passedOn(count)
    return count
  }

  /// Counts bytes from the page cache that were passed on as a part of the file.
  func passedOn(_ byteCount: Int) {
    offset += Int64(byteCount)
    core.counters.statistics.uncopiedFileByteCount += UInt64(byteCount)
  }

  /// Whether `sendfile(2)` failed because of the file or the kernel. Reading finds a disk error
  /// too.
  private static func isRefusal(_ reason: Errno) -> Bool {
    switch reason.rawValue {
    case EINVAL, ENOSYS, EOPNOTSUPP, EPERM, EACCES, EIO, ENOMEM, EOVERFLOW, ESPIPE, EBADF: true
    default: false
    }
  }

  /// Stops sending the range.
  func stop() {
    if case .open = state { state = .ended }
    owner = nil
    dropReader()
    giveMemoryBack()
  }

  /// Calls the handler with the result, and releases the file. Call it once.
  ///
  /// - Parameter reason: Why not all of it was sent; nil if all was.
  func report(_ reason: PumpError.Reason?) {
    if let reason {
      handler?(.failure(PumpError(reason, byteCountDone: doneByteCount)))
    } else {
      handler?(.success(doneByteCount))
    }
    // In this order, so that a waiting close closes the descriptor.
    guard use.take() != nil else { return }
    // After the handler, so that it is called before the handler of a close.
    file.queued.giveBackDescriptor()
  }
}
