internal import CLibevent
internal import Glibc
internal import PosixAIO
internal import SystemPackage

/// Receives a socket's events, always from the loop and never inside a call to the socket.
protocol BufferedSocketOwner: AnyObject {
  func bytesArrived()
  func inputEnded()
  /// The kernel took bytes, or a finished piece is to be reported.
  func outputMoved()
  /// The next bytes are ready to be sent.
  func outputIsReady()
  /// The next bytes cannot be sent, so nothing after them can.
  func outputBroke(_ reason: PumpError.Reason)
  func socketTimedOut(_ direction: Connection.Direction)
  func socketFailed(_ errno: Errno)
}

/// A connected socket with a buffer for each direction.
///
/// Not a libevent bufferevent. That asks for the number of bytes before each read, and asks epoll
/// before each response whether the socket is writable and then to stop: three system calls on top
/// of the two that a request needs. Here the output of a turn is sent at its end, and epoll is used
/// only if the socket does not take everything.
@safe
final class BufferedSocket {
  /// -1 after closing.
  private(set) var descriptor: Int32
  /// The most bytes of input to hold. The owner reads only while there are fewer.
  #if !DEBUG
    @safe @exclusivity(unchecked)
  #endif
  var inputLimit: Int
  private let isShared: Bool
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

  /// The owner keeps this object alive, and closes it before going away.
  #if !DEBUG
    @safe @exclusivity(unchecked)
  #endif
  unowned var owner: (any BufferedSocketOwner)?

  /// The memory shared by a loop's sockets.
  struct Blocks {
    let input = InputBlocks()
    let output = OutputBlocks()
  }

  struct Limits {
    /// The initial ``BufferedSocket/inputLimit``.
    let inputByteCount: Int
    /// Whether other code may hold the socket too, and may have made it blocking.
    let isShared: Bool
  }

  /// Takes over a connected, non-blocking socket.
  init(_ descriptor: Int32, in registry: EventRegistry, _ blocks: Blocks, _ limits: Limits) {
    self.descriptor = descriptor
    inputLimit = limits.inputByteCount
    isShared = limits.isShared
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

  /// 0 after closing.
  var inputByteCount: Int { descriptor == -1 ? 0 : input.count }

  /// Calls `body` with all input in one span. The input is not consumed.
  func withInput<Result, Failure: Error>(
    _ body: (RawSpan) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    try input.withBytes(first: inputByteCount, body)
  }

  func takeInput(_ byteCount: Int) {
    input.take(min(byteCount, inputByteCount))
  }

  /// Releases the input's memory after closing, when it is no longer in use.
  func dropInput() {
    input.take(input.count)
  }

  /// Reads without waiting for the event.
  func receiveNow() {
    if isReading { receive(EV_READ) }
  }

  private func receive(_ fired: Int32) {
    guard fired & EV_READ != 0 else {
      owner?.socketTimedOut(.input)
      return
    }
    let count = input.receive(from: descriptor, limit: inputLimit - input.count)
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
      owner?.socketFailed(reason)
    }
  }

  // MARK: Output

  /// The unsent bytes dropped by closing.
  private var unsentByteCount = 0

  /// The unsent bytes; after closing, the bytes that were never sent.
  var outputByteCount: Int { descriptor == -1 ? unsentByteCount : output.byteCount }

  /// Of these, the bytes in memory instead of in files.
  var outputMemoryByteCount: Int { output.memoryByteCount }

  /// The event that sending waits for.
  enum Sending {
    case nothing
    case endOfTurn
    /// The socket to become writable.
    case socket
    /// A file is being read.
    case file
    /// The end of the connection: sending a file failed.
    case end
  }

  private(set) var sending = Sending.nothing

  /// Marks the output to be sent at the end of the turn.
  ///
  /// - Returns: False if that was already so, or sending waits for the socket or a file.
  func beginSending() -> Bool {
    guard case .nothing = sending, descriptor != -1 else { return false }
    sending = .endOfTurn
    return true
  }

  /// Sends the output, and the rest once the socket is writable.
  func send() {
    guard case .endOfTurn = sending, descriptor != -1 else { return }
    sending = .nothing
    sendSome()
  }

  /// Sends what the kernel takes now, without reporting it.
  func sendQuietly() {
    guard case .endOfTurn = sending, descriptor != -1 else { return }
    _ = output.send(to: descriptor, isShared: isShared)
  }

  private func sendRest(_ fired: Int32) {
    guard fired & EV_WRITE != 0 else {
      owner?.socketTimedOut(.output)
      return
    }
    sendSome()
  }

  private func sendSome() {
    switch output.send(to: descriptor, isShared: isShared) {
    case .all: wait(for: .nothing)
    case .some: wait(for: .socket)
    case .waitsForFile: wait(for: .file)
    case .broken(let reason):
      wait(for: .end)
      owner?.outputBroke(reason)
    case .failed(let reason):
      owner?.socketFailed(reason)
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

  /// Continues after a range became ready, or was removed.
  func rangeIsReady() {
    guard case .file = sending else { return }
    sending = .nothing
    owner?.outputIsReady()
  }

  /// Whether nothing is left to send or to report.
  var isOutputEmpty: Bool { output.isEmpty }

  /// The total that the kernel has taken.
  var sentByteCount: Int64 { output.sentByteCount }

  /// The next finished piece to report.
  func nextSettled() -> OutputBuffer.Settled? {
    output.hasSettled ? output.nextSettled() : nil
  }

  /// Adds a copy of bytes to the output.
  ///
  /// - Parameter followingByteCount: The number of bytes likely to be copied after them.
  func write(_ bytes: UnsafeRawBufferPointer, followingByteCount: Int = 0) {
    unsafe output.append(bytes, followingByteCount: followingByteCount)
  }

  /// The result of an attempt to copy a file range.
  enum Copying {
    case done
    /// Some of it is not in the page cache, or beyond the file's end.
    case missed
    case notTried
  }

  /// Copies a small file range if it is in the page cache and little output is waiting. Only then
  /// is `whenSent` called, by ``nextSettled()``.
  ///
  /// - Parameter memoryLimit: The most bytes that may wait in memory afterwards.
  func copy(
    _ range: Range<Int64>, of file: File, memoryLimit: Int, _ whenSent: Pump.Handler?
  ) -> Copying {
    // A range queued after another one is better read when its turn comes.
    guard range.lowerBound >= 0, 1...Connection.smallRangeByteCount ~= Int64(range.count),
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

  /// Adopts a buffer, which is freed once sent.
  func write(_ buffer: consuming IOBuffer) {
    output.append(buffer)
  }

  /// Adopts a buffer, and returns it by ``nextSettled()``.
  func write(_ buffer: consuming IOBuffer, _ handler: @escaping Connection.BufferHandler) {
    output.append(buffer, handler)
  }

  /// Adds a file range to the output. ``nextSettled()`` reports its end.
  func write(_ range: OutgoingRange) {
    range.socket = self
    output.append(range)
  }

  /// Stops sending a range.
  func remove(_ range: OutgoingRange, _ reason: PumpError.Reason) {
    output.remove(range, reason)
    rangeIsReady()
  }

  // MARK: Both

  /// Sets how long each direction may be idle, from now on; nil sets no limit.
  func setTimeouts(input: Duration?, output: Duration?) {
    (inputTimeout, outputTimeout) = (Self.limited(input), Self.limited(output))
    if isReading { readable?.setTimeout(input) }
    if case .socket = sending { writable?.setTimeout(output) }
  }

  /// Drops timeouts that libevent cannot represent: they would expire too early, and are years
  /// long.
  private static func limited(_ timeout: Duration?) -> Duration? {
    timeout.flatMap { $0 > Event.longestTimeout ? nil : $0 }
  }

  /// Closes the socket and drops unsent output. Wraps `close(2)`.
  ///
  /// The input's memory stays, since a handler may be using it.
  func close() {
    guard descriptor != -1 else { return }
    unsentByteCount = outputByteCount
    output.removeAll()
    // Removed before closing, since another socket may get the descriptor afterwards.
    readable?.remove()
    writable?.remove()
    (readable, writable) = (nil, nil)
    SocketCalls.close(descriptor)
    descriptor = -1
  }
}
