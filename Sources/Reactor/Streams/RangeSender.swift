internal import CLibevent
internal import CReactor
internal import Glibc
package import PosixAIO
package import SystemPackage

/// A buffer of other code that sends what it is given, such as that of a bufferevent.
package protocol OutputTarget: AnyObject {
  /// The number of bytes that it takes now. If that is 0, it calls `whenRoom` when it is not.
  var room: Int { get }

  /// Is called when there is room again, from the loop; nil once the target is not used any more.
  var whenRoom: (() -> Void)? { get set }

  /// Whether it takes parts of a file.
  var takesFiles: Bool { get }

  /// Copies bytes.
  func take(_ bytes: UnsafeRawBufferPointer) throws(Errno)

  /// Takes a part of a file that is in the page cache. The target keeps `file` until it has sent
  /// it.
  func take(_ file: SharedDescriptor.Use, at offset: Int64, byteCount: Int) throws(Errno)
}

/// Sends a range of a file to a socket or a buffer of other code: without a copy what is in the
/// page cache, and never more than the other side takes.
///
/// It continues even if you drop it.
@safe
package final class RangeSender: OpenSocket, OutgoingRangeOwner {
  /// Where the bytes go.
  package enum Destination {
    /// A connected, non-blocking socket that the caller keeps open, and does not write to.
    case socket(FileDescriptor)
    case target(any OutputTarget)
  }

  private enum State {
    case running
    /// The handler is called in the next turn.
    case ending
    case over
  }

  /// The most bytes in one turn, so that others get theirs.
  private static let byteCountPerTurn = 256 * 1024

  private let file: File
  private let range: OutgoingRange
  private let destination: Destination
  private let handler: (Result<Int, FileError>) -> Void
  private var state = State.running
  private var writable: Event?

  /// Starts sending.
  ///
  /// - Parameters:
  ///   - file: An open file.
  ///   - range: In bytes from the file's start. It ends earlier if the file does.
  ///   - destination: Must stay valid until the handler is called or ``cancel()``.
  ///   - handler: Called once, from the loop, with the number of bytes that the destination took:
  ///     fewer than asked for at the end of the file. An error includes that number. If nothing was
  ///     started, it receives `EBADF` after the file's close, and `ECANCELED` when the loop is
  ///     ending.
  package init(
    _ file: File, _ range: Range<Int64>, to destination: Destination,
    _ handler: @escaping (Result<Int, FileError>) -> Void
  ) {
    self.file = file
    self.range = OutgoingRange(
      file, range, mayEndEarlier: true, FileReader.Configuration(), nil)
    self.destination = destination
    self.handler = handler
    do throws(Errno) {
      try file.core.checkSockets()
      start()
    } catch {
      state = .ending
      file.core.complete { [self] in end(.failure(self.error(error))) }
    }
  }

  /// Whether a `bufferevent` is libevent's own for sockets, which sends files by `sendfile(2)`. All
  /// others map them.
  @unsafe
  package static func isOfSocket(_ bufferevent: OpaquePointer) -> Bool {
    unsafe creactor_is_socket_bufferevent(bufferevent)
  }

  private func start() {
    range.owner = self
    file.core.sockets.insert(self)
    if case .target(let target) = destination {
      target.whenRoom = { [unowned self] in step() }
    }
    file.core.callNextTurn { [self] in step() }
  }

  /// Stops sending, and leaves the destination alone from now on. The handler gets `ECANCELED` in
  /// the next turn.
  ///
  /// - Returns: Whether it was not over before.
  package func cancel() -> Bool {
    guard case .running = state else { return false }
    file.core.checkThread()
    loopIsEnding()
    return true
  }

  package func loopIsEnding() {
    stop(.failure(error(Errno.canceled)))
  }

  func rangeIsReady() {
    step()
  }

  // MARK: - Steps

  private func step() {
    guard case .running = state else { return }
    var left = Self.byteCountPerTurn
    do throws(Errno) {
      while left > 0 {
        guard let count = try send(atMost: left) else { return }
        left -= count
      }
      file.core.callNextTurn { [self] in step() }
    } catch {
      guard error == .wouldBlock else { return stop(.failure(self.error(error))) }
      waitForSocket()
    }
  }

  /// - Returns: The number of bytes that the destination took; nil if a later step continues.
  private func send(atMost limit: Int) throws(Errno) -> Int? {
    let room = min(limit, destination.room)
    guard room > 0 else { return nil }
    switch range.prepare(isCopying: !destination.takesFiles) {
    case .waiting: return nil
    case .ended: stop(.success(Int(range.doneByteCount)))
    case .failed(let reason): stop(.failure(error(reason)))
    case .bytes:
      return range.removeFirst(try unsafe destination.send(range.bytes(atMost: room)))
    case .file(let byteCount):
      return try sendFile(min(byteCount, room))
    }
    return nil
  }

  private func sendFile(_ byteCount: Int) throws(Errno) -> Int {
    switch destination {
    // If the kernel refuses the call for this file, the next step reads it.
    case .socket(let socket): return try range.send(byteCount, to: socket.rawValue) ?? 0
    case .target(let target):
      guard let use = range.use else { throw .badFileDescriptor }
      try target.take(use, at: range.offset, byteCount: byteCount)
      range.passedOn(byteCount)
      return byteCount
    }
  }

  private func waitForSocket() {
    guard case .socket(let socket) = destination else { return }
    let event =
      writable
      ?? Event(
        in: file.core.registry, descriptor: socket.rawValue, flags: EV_WRITE,
        lifetime: .untilRemoved
      ) { [unowned self] _ in step() }
    writable = event
    do throws(Errno) {
      try event.tryAdd()
    } catch {
      stop(.failure(self.error(error)))
    }
  }

  // MARK: - The end

  /// Leaves the destination alone, and reports the result in the next turn.
  private func stop(_ result: Result<Int, FileError>) {
    guard case .running = state else { return }
    state = .ending
    writable?.remove()
    writable = nil
    if case .target(let target) = destination { target.whenRoom = nil }
    range.stop()
    file.core.callNextTurn { [self] in end(result) }
    file.core.sockets.remove(self)
  }

  private func end(_ result: Result<Int, FileError>) {
    guard case .ending = state else { return }
    state = .over
    handler(result)
    // After the handler, so that it is called before that of a close of the file.
    range.report(nil)
  }

  private func error(_ errno: Errno) -> FileError {
    FileError(
      operation: .send, path: file.path, offset: range.start,
      byteCountDone: Int(range.doneByteCount), errno: errno)
  }

  private func error(_ reason: PumpError.Reason) -> FileError {
    guard case .file(let error) = reason else { return self.error(Errno.ioError) }
    return FileError(
      operation: error.operation, path: error.path, offset: error.offset,
      byteCountDone: Int(range.doneByteCount), errno: error.errno)
  }
}

extension RangeSender.Destination {
  fileprivate var room: Int {
    switch self {
    case .socket: .max
    case .target(let target): target.room
    }
  }

  /// Whether a part of a file can be sent without waiting.
  fileprivate var takesFiles: Bool {
    switch self {
    // sendfile(2) has no MSG_DONTWAIT.
    case .socket(let socket): SocketCalls.isNonBlocking(socket.rawValue)
    case .target(let target): target.takesFiles
    }
  }

  /// - Returns: The number of bytes that were taken.
  fileprivate func send(_ bytes: UnsafeRawBufferPointer) throws(Errno) -> Int {
    switch self {
    case .socket(let socket):
      var piece = unsafe iovec(
        iov_base: UnsafeMutableRawPointer(mutating: bytes.baseAddress), iov_len: bytes.count)
      let count = unsafe creactor_send(socket.rawValue, &piece, 1)
      guard count < 0 else { return count }
      let reason = Errno.ofLastCall
      if reason == .interrupted { return 0 }
      throw reason
    case .target(let target):
      try unsafe target.take(bytes)
      return bytes.count
    }
  }
}

extension FileError.Operation {
  /// Sending a range of a file to a socket or a buffer.
  static let send = FileError.Operation("send")
}
