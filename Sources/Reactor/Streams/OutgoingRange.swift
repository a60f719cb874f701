internal import Glibc
internal import PosixAIO
internal import SystemPackage

/// A range of a file that was written to a connection, and how its bytes get there.
///
/// It goes by `sendfile(2)`, window by window, where nothing of the window is missing in the page
/// cache, nor within the reach of the kernel's read-ahead after it, and where nothing of the window
/// is doubted (``CacheDoubts``). Everything else is read by AIO, in chunks and ahead. A small range
/// that is in the page cache does not come here as a rule: it is copied when it is written.
///
/// **What is guaranteed.** `sendfile(2)` is not called for pages that are missing, nor for pages
/// that this process has begun to read or may have caused to be read ahead: a socket's turn does
/// not wait for the disk because of its own client or its neighbours.
///
/// **What is not.** The loop waits for pages that another process is reading at that moment; that
/// the kernel reclaims between the question and the call, or within ``ProvenRange/validity`` where
/// the kernel answers no such question; or that a device reads ahead from further than
/// ``ReadAhead/longestReach``. The bytes are right all the same.
@safe
final class OutgoingRange {
  /// The largest range that is copied from the page cache, in bytes: its cost is then below that of
  /// the calls that sending without a copy takes.
  static let smallByteCount: Int64 = 16 * 1024

  /// The most bytes per `sendfile(2)`.
  static let windowByteCount: Int64 = 256 * 1024

  /// How its next bytes get to the socket.
  enum Readiness {
    /// From memory.
    case bytes
    /// From the page cache: so many bytes.
    case file(byteCount: Int)
    /// When they were read.
    case later
    /// There are none any more.
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
  /// Whether it is right, too, if the file is shorter.
  let mayEndEarlier: Bool
  let configuration: FileReader.Configuration
  private let handler: Pump.Handler?
  /// Nil where the file was closed before, and when the range is over.
  var use: SharedDescriptor.Use?
  let descriptor: Int32

  /// Where the next byte is that was not sent.
  var offset: Int64
  /// Where the file ends as far as is known.
  var fileEnd: Int64
  var hasAskedForEnd = false
  var state = State.open
  var reader: FileReader?
  var isWaiting = false
  private var memory: UnsafeMutableRawBufferPointer?
  /// The bytes in memory that were not sent, the first of them at ``offset`` of the file.
  var unsent = 0..<0

  /// Told when it was not ready, and is. Closes before it goes, and so stops the range.
  unowned var stream: SocketStream?

  /// - Parameters:
  ///   - range: Where the first byte is, and the one behind the last.
  ///   - mayEndEarlier: Whether a shorter file is no failure. One that was closed before is.
  init(
    _ file: File, _ range: Range<Int64>, mayEndEarlier: Bool,
    _ configuration: FileReader.Configuration, _ handler: Pump.Handler?
  ) {
    configuration.check()
    require(range.lowerBound >= 0, "File: a place in a file is 0 or more")
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

  /// The bytes that were sent.
  var doneByteCount: Int64 { offset - start }

  /// The bytes that are to be sent, as far as is known.
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

  /// The bytes that are in memory.
  func bytes(atMost byteCount: Int) -> UnsafeRawBufferPointer {
    guard let memory = unsafe memory else {
      return unsafe UnsafeRawBufferPointer(start: nil, count: 0)
    }
    return unsafe UnsafeRawBufferPointer(rebasing: memory[unsent].prefix(byteCount))
  }

  /// Whether all its bytes that are left are in memory.
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

  /// Forgets bytes in memory that were sent.
  ///
  /// - Returns: How many it had of these.
  func removeFirst(_ byteCount: Int) -> Int {
    let count = min(byteCount, unsent.count)
    guard count > 0 else { return 0 }
    unsent = unsent.lowerBound + count..<unsent.upperBound
    offset += Int64(count)
    core.counters.statistics.copiedFileByteCount += UInt64(count)
    if unsent.isEmpty { giveMemoryBack() }
    return count
  }

  /// Sends from the page cache what ``prepare(isCopying:)`` has said.
  ///
  /// - Returns: As `sendfile(2)`; nil when it is to be prepared anew, since the kernel refuses that
  ///   for this file, or the file is shorter by now.
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
    offset += Int64(count)
    core.counters.statistics.uncopiedFileByteCount += UInt64(count)
    return count
  }

  /// Whether the file, or the kernel, is why `sendfile(2)` has failed. If that is an error of the
  /// disk, reading finds it, too.
  private static func isRefusal(_ reason: Errno) -> Bool {
    switch reason.rawValue {
    case EINVAL, ENOSYS, EOPNOTSUPP, EPERM, EACCES, EIO, ENOMEM, EOVERFLOW, ESPIPE, EBADF: true
    default: false
    }
  }

  /// Nothing of it is sent any more.
  func stop() {
    if case .open = state { state = .ended }
    stream = nil
    dropReader()
    giveMemoryBack()
  }

  /// Tells what became of it, and lets go of the file. To be called once.
  ///
  /// - Parameter reason: Why it was not sent whole; nil when it was.
  func tell(_ reason: PumpError.Reason?) {
    if let reason {
      handler?(.failure(PumpError(reason, byteCountDone: doneByteCount)))
    } else {
      handler?(.success(doneByteCount))
    }
    // In this order, so that a close that waits closes the descriptor.
    guard use.take() != nil else { return }
    // After the handler, so that it comes before that of a close.
    file.queued.giveBackDescriptor()
  }
}
