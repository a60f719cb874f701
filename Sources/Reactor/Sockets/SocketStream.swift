internal import CLibevent
internal import Glibc
internal import PosixAIO
internal import SystemPackage

/// What a stream reports, from its events and so never from inside a call to it.
protocol SocketStreamOwner: AnyObject {
  func bytesArrived()
  func inputEnded()
  /// The kernel has taken bytes, or somebody is to be told of a piece.
  func outputMoved()
  /// What comes next can be sent now.
  func outputIsReady()
  /// What comes next cannot be sent, and so nothing is any more.
  func outputBroke(_ reason: PumpError.Reason)
  func streamTimedOut(_ direction: Connection.Direction)
  func streamFailed(_ errno: Errno)
}

/// A connected socket with a buffer for each direction.
///
/// Not a bufferevent of libevent, which asks for the number of bytes before each read, and asks
/// epoll before each answer whether the socket takes it, and no more afterwards: three system calls
/// beside the two that a request needs. What a turn has written is sent at its end, and epoll is
/// asked only where the socket does not take all.
@safe
final class SocketStream {
  /// -1 once closed.
  private(set) var descriptor: Int32
  private let limits: Limits
  #if !DEBUG
    @safe @exclusivity(unchecked)
  #endif
  private var input: InputBuffer
  #if !DEBUG
    @safe @exclusivity(unchecked)
  #endif
  private var output: OutputBuffer
  private var readable: Event?
  private var writable: Event?
  private var inputTimeout: Duration?
  private var outputTimeout: Duration?

  /// Keeps the stream, and closes it before it goes.
  #if !DEBUG
    @safe @exclusivity(unchecked)
  #endif
  unowned var owner: (any SocketStreamOwner)?

  /// The memory that the sockets of a loop share.
  struct Blocks {
    let input = InputBlocks()
    let output = OutputBlocks()
  }

  struct Limits {
    /// The most bytes of input to have.
    let inputByteCount: Int
    /// Whether somebody else may have the socket, too, and have made it block.
    let isShared: Bool
  }

  /// Takes over a connected socket that does not block.
  init(_ descriptor: Int32, in registry: EventRegistry, _ blocks: Blocks, _ limits: Limits) {
    self.descriptor = descriptor
    self.limits = limits
    input = InputBuffer(blocks.input)
    output = OutputBuffer(blocks.output)
    readable = Event(
      in: registry, descriptor: descriptor, flags: EV_READ | EV_PERSIST, lifetime: .untilRemoved
    ) { [unowned self] in receive($0) }
    writable = Event(
      in: registry, descriptor: descriptor, flags: EV_WRITE | EV_PERSIST, lifetime: .untilRemoved
    ) { [unowned self] in sendRest($0) }
  }

  deinit { close() }

  // MARK: Input

  /// Whether bytes are read as they arrive.
  var isReading: Bool = false {
    didSet {
      guard isReading != oldValue else { return }
      if isReading { readable?.add(timeout: inputTimeout) } else { readable?.pause() }
    }
  }

  /// None any more once it is closed.
  var inputByteCount: Int { descriptor == -1 ? 0 : input.count }

  /// Shows all input in one piece. It stays until it is taken.
  func withInput<Result, Failure: Error>(
    _ body: (RawSpan) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    try input.withBytes(first: inputByteCount, body)
  }

  func takeInput(_ byteCount: Int) {
    input.take(min(byteCount, inputByteCount))
  }

  /// Gives the memory of input back once it is closed and nobody looks at it any more.
  func dropInput() {
    input.take(input.count)
  }

  private func receive(_ fired: Int32) {
    guard fired & EV_READ != 0 else {
      owner?.streamTimedOut(.input)
      return
    }
    let count = input.receive(from: descriptor, limit: limits.inputByteCount - input.count)
    let reason = Errno.ofLastCall
    switch count {
    case 1...:
      owner?.bytesArrived()
      input.shrink()
    case 0:
      isReading = false
      owner?.inputEnded()
      input.shrink()
    default:
      guard reason != .wouldBlock, reason != .interrupted else { return }
      owner?.streamFailed(reason)
    }
  }

  // MARK: Output

  /// What was dropped when it was closed.
  private var unsentByteCount = 0

  /// When it is closed, what was never sent.
  var outputByteCount: Int { descriptor == -1 ? unsentByteCount : output.byteCount }

  /// What of it is in memory, and not in files.
  var outputMemoryByteCount: Int { output.memoryByteCount }

  /// What sending waits for.
  enum Sending {
    case nothing
    case endOfTurn
    /// The socket takes no more for the time being.
    case socket
    /// A file is being read.
    case file
    /// Nothing: a file that was to be sent has failed.
    case end
  }

  private(set) var sending = Sending.nothing

  /// Whether it is to be sent at the end of the turn, from now on.
  ///
  /// - Returns: False where it was before, or the socket is waited for.
  func beginSending() -> Bool {
    guard case .nothing = sending, descriptor != -1 else { return false }
    sending = .endOfTurn
    return true
  }

  /// Hands what was written to the kernel, and the rest when the socket takes it.
  func send() {
    guard case .endOfTurn = sending, descriptor != -1 else { return }
    sending = .nothing
    sendSome()
  }

  /// Hands to the kernel what it takes now, and tells nobody of it.
  func sendQuietly() {
    guard case .endOfTurn = sending, descriptor != -1 else { return }
    _ = output.send(to: descriptor, isShared: limits.isShared)
  }

  private func sendRest(_ fired: Int32) {
    guard fired & EV_WRITE != 0 else {
      owner?.streamTimedOut(.output)
      return
    }
    sendSome()
  }

  private func sendSome() {
    switch output.send(to: descriptor, isShared: limits.isShared) {
    case .all: wait(for: .nothing)
    case .some: wait(for: .socket)
    case .waitsForFile: wait(for: .file)
    case .broken(let reason):
      wait(for: .end)
      owner?.outputBroke(reason)
    case .failed(let reason):
      owner?.streamFailed(reason)
      return
    }
    owner?.outputMoved()
  }

  private func wait(for next: Sending) {
    switch (sending, next) {
    case (.socket, .socket): break
    case (.socket, _): writable?.pause()
    case (_, .socket): writable?.add(timeout: outputTimeout)
    default: break
    }
    sending = next
  }

  /// Of the range that was waited for, or another one.
  func rangeIsReady() {
    guard case .file = sending else { return }
    sending = .nothing
    owner?.outputIsReady()
  }

  /// Whether there is nothing to send, and nobody waits to be told so.
  var isOutputEmpty: Bool { output.isEmpty }

  /// What the kernel has taken, all in all.
  var sentByteCount: Int64 { output.sentByteCount }

  /// The next piece whose owner is to be told.
  func nextSettled() -> OutputBuffer.Settled? {
    output.hasSettled ? output.nextSettled() : nil
  }

  /// Copies bytes, to be sent after what was written before.
  ///
  /// - Parameter followingByteCount: How many more are likely to be copied after them.
  func write(_ bytes: UnsafeRawBufferPointer, followingByteCount: Int = 0) {
    unsafe output.append(bytes, followingByteCount: followingByteCount)
  }

  /// What became of the attempt to copy a range of a file.
  enum Copying {
    case done
    /// Some of it is not in the page cache, or not in the file.
    case missed
    case notTried
  }

  /// Copies a small range of a file, if it is in the page cache and little is waiting. Only then
  /// `whenSent` is called, by ``nextSettled()``.
  ///
  /// - Parameter memoryLimit: The most bytes that may wait in memory afterwards.
  func copy(
    _ range: Range<Int64>, of file: File, memoryLimit: Int, _ whenSent: Pump.Handler?
  ) -> Copying {
    // A range that waits for another one had better be read when its turn comes.
    guard range.lowerBound >= 0, 1...OutgoingRange.smallByteCount ~= Int64(range.count),
      output.rangeCount == 0, output.memoryByteCount + range.count <= memoryLimit
    else { return .notTried }
    let count = range.count
    let copying = unsafe file.copyFromCache(range) { read in
      unsafe output.append(count, reading: read)
    }
    if case .done = copying, let whenSent {
      let end = output.sentByteCount + Int64(output.memoryByteCount)
      output.append(OutputBuffer.Mark(byteCount: count, end: end, handler: whenSent))
    }
    return copying
  }

  /// Takes over a buffer, whose memory is freed once it is sent.
  func write(_ buffer: consuming IOBuffer) {
    output.append(buffer)
  }

  /// Takes over a buffer, and gives it back by ``nextSettled()``.
  func write(_ buffer: consuming IOBuffer, _ handler: @escaping Connection.BufferHandler) {
    output.append(buffer, handler)
  }

  /// Sends a range of a file, of whose end ``nextSettled()`` tells.
  func write(_ range: OutgoingRange) {
    range.stream = self
    output.append(range)
  }

  /// Sends nothing more of a range.
  func remove(_ range: OutgoingRange, _ reason: PumpError.Reason) {
    output.remove(range, reason)
    rangeIsReady()
  }

  // MARK: Both

  /// How long nothing may move, from now on; nil is without a limit.
  func setTimeouts(input: Duration?, output: Duration?) {
    (inputTimeout, outputTimeout) = (Self.limited(input), Self.limited(output))
    if isReading { readable?.setTimeout(input) }
    if case .socket = sending { writable?.setTimeout(output) }
  }

  /// A time-out that libevent cannot keep would pass too early; it is years away, so there is none.
  private static func limited(_ timeout: Duration?) -> Duration? {
    timeout.flatMap { $0 > Event.longestTimeout ? nil : $0 }
  }

  /// Closes the socket, and drops what was not sent. Wraps `close(2)`.
  ///
  /// The memory of input stays, since somebody may be looking at it.
  func close() {
    guard descriptor != -1 else { return }
    unsentByteCount = outputByteCount
    output.removeAll()
    // Before the close: the number may be another socket's then.
    readable?.remove()
    writable?.remove()
    (readable, writable) = (nil, nil)
    SocketCalls.close(descriptor)
    descriptor = -1
  }
}
