internal import Glibc
internal import PosixAIO
internal import SystemPackage

/// Input in lines.
///
/// A line ends at a line feed, which is not part of it. The last line before the end of input may
/// lack one; a final line feed does not start another line. Bytes after a line stay in the
/// connection, for the next call or another way to read.
extension Connection {
  /// The default limit of a line: 64 KiB.
  public static let defaultLineLimit = 64 * 1024

  /// Requests the next line. Ask for one at a time, without ``onReceive``; otherwise it traps.
  ///
  /// - Parameters:
  ///   - maximumByteCount: The most bytes of the line, without its end, 0 or more. Input up to this
  ///     limit is held in memory until the line is complete, even if
  ///     ``Configuration/inputHighWaterByteCount`` is less.
  ///   - dropsCarriageReturn: Whether a carriage return before the line feed is part of the line's
  ///     end.
  ///   - handler: Called once, and never inside this call while the loop lives: with the line; with
  ///     nil at the end of input; or with why no line will come. `EMSGSIZE` means that the line is
  ///     too long: none of it was taken, and the connection stays open. `ECANCELED` means that this
  ///     side has closed, `ETIMEDOUT` a timeout, and other errors are the connection's. Lines that
  ///     were complete before an error come first; a line that the error cut off is not reported.
  public func readLine(
    maximumByteCount: Int = defaultLineLimit, dropsCarriageReturn: Bool = false,
    _ handler: @escaping (Result<[UInt8]?, SocketError>) -> Void
  ) {
    var scan = LineScan(maximumByteCount, dropsCarriageReturn: dropsCarriageReturn)
    if core.refusal != nil {
      let canceled = error(.read, .canceled)
      return core.complete { handler(.failure(canceled)) }
    }
    checkReader()
    if let result = takeLine(&scan) { return core.callNextTurn { handler(result) } }
    awaitLine(scan, handler)
  }

  /// Waits for the next line and takes it, for one task at a time; see
  /// ``readLine(maximumByteCount:dropsCarriageReturn:_:)``.
  ///
  /// - Returns: The line; nil at the end of input.
  /// - Throws: The error of the callback form; `ECANCELED` in a cancelled task, which leaves the
  ///   beginning of the line in the connection.
  nonisolated(nonsending) public func readLine(
    maximumByteCount: Int = defaultLineLimit, dropsCarriageReturn: Bool = false
  ) async throws(SocketError) -> [UInt8]? {
    var scan = LineScan(maximumByteCount, dropsCarriageReturn: dropsCarriageReturn)
    try checkAwaitingReader()
    while true {
      if let result = takeLine(&scan) { return try result.get() }
      try await waitForInput(beyond: scan.scannedByteCount)
    }
  }

  /// The lines as they arrive, without their ends: `for try await line in connection.lines()`. For
  /// one task at a time.
  ///
  /// Invalid UTF-8 becomes replacement characters;
  /// ``readLine(maximumByteCount:dropsCarriageReturn:)`` gives the bytes unchanged.
  ///
  /// - Parameters: As ``readLine(maximumByteCount:dropsCarriageReturn:_:)``.
  public func lines(
    maximumByteCount: Int = defaultLineLimit, dropsCarriageReturn: Bool = false
  ) -> Lines {
    // Checks the limit here, where the caller gave it.
    let scan = LineScan(maximumByteCount, dropsCarriageReturn: dropsCarriageReturn)
    return Lines(connection: self, scan: scan)
  }

  /// The lines of a connection; see ``lines(maximumByteCount:dropsCarriageReturn:)``.
  public struct Lines: AsyncSequence, Sendable {
    fileprivate let connection: Connection
    fileprivate let scan: LineScan

    /// Starts reading.
    public func makeAsyncIterator() -> Iterator { Iterator(connection: connection, scan: scan) }

    /// Reads from a connection.
    public struct Iterator: AsyncIteratorProtocol, Sendable {
      fileprivate let connection: Connection
      fileprivate let scan: LineScan

      /// As ``Connection/readLine(maximumByteCount:dropsCarriageReturn:)``.
      public mutating func next(
        isolation actor: isolated (any Actor)?
      ) async throws(SocketError) -> String? {
        try await nextLine()
      }

      /// As ``next(isolation:)``, where the caller runs.
      nonisolated(nonsending) public mutating func next() async throws(SocketError) -> String? {
        try await nextLine()
      }

      nonisolated(nonsending) private func nextLine() async throws(SocketError) -> String? {
        try await connection.readLine(
          maximumByteCount: scan.maximumByteCount, dropsCarriageReturn: scan.dropsCarriageReturn
        ).map { String(decoding: $0, as: UTF8.self) }
      }
    }
  }

  // MARK: - Taking a line

  private func awaitLine(
    _ scan: LineScan, _ handler: @escaping (Result<[UInt8]?, SocketError>) -> Void
  ) {
    reader = { [self] in
      var scan = scan
      if let result = takeLine(&scan) { handler(result) } else { awaitLine(scan, handler) }
    }
    updateTimeouts()
  }

  /// Takes the next line, the end of input or the error; nil if the line is not complete.
  private func takeLine(_ scan: inout LineScan) -> Result<[UInt8]?, SocketError>? {
    // What is left after an error comes before the error.
    if leftInput.isEmpty, let endErrno { return .failure(error(.read, endErrno)) }
    let found =
      leftInput.isEmpty
      ? socket.withInput { scan.next($0) } : unsafe scan.next(leftInput.span.bytes)
    switch found {
    case .line(let byteCount, let endByteCount):
      return .success(take(byteCount, andEnd: endByteCount))
    case .tooLong:
      return .failure(error(.read, .messageTooLong))
    case .needsMore where isInUse && input == .open:
      allowInput(of: scan.neededByteCount)
      return nil
    case .needsMore:
      if let endErrno { return .failure(error(.read, endErrno)) }
      let rest = take(scan.scannedByteCount, andEnd: 0)
      if rest.isEmpty, isInUse, input == .ended { noteEndOfInput() }
      return .success(rest.isEmpty ? nil : rest)
    }
  }

  private func take(_ byteCount: Int, andEnd endByteCount: Int) -> [UInt8] {
    guard leftInput.isEmpty else {
      defer { leftInput.removeFirst(byteCount + endByteCount) }
      return Array(leftInput[..<byteCount])
    }
    let line = socket.withInput { input in
      unsafe input.extracting(first: byteCount).withUnsafeBytes { unsafe Array($0) }
    }
    socket.takeInput(byteCount + endByteCount)
    allowInput(of: 0)
    return line
  }

  /// Reads up to the high-water mark, or up to `byteCount` if that is more.
  func allowInput(of byteCount: Int) {
    socket.inputLimit = max(configuration.inputHighWaterByteCount, byteCount)
    if isInUse { updateReading() }
  }
}

/// The search for the end of a line in bytes that grow at their end.
private struct LineScan: Sendable {
  enum Outcome {
    case line(byteCount: Int, endByteCount: Int)
    case needsMore
    case tooLong
  }

  let maximumByteCount: Int
  let dropsCarriageReturn: Bool
  /// The bytes at the front that have no line feed.
  private(set) var scannedByteCount = 0

  init(_ maximumByteCount: Int, dropsCarriageReturn: Bool) {
    require(maximumByteCount >= 0, "Connection: the maximum of a line must be 0 bytes or more")
    self.maximumByteCount = maximumByteCount
    self.dropsCarriageReturn = dropsCarriageReturn
  }

  /// The longest line with its end.
  var neededByteCount: Int { min(maximumByteCount, .max - 2) + 2 }

  mutating func next(_ bytes: RawSpan) -> Outcome {
    let end = lineFeed(in: bytes)
    let count = end ?? bytes.byteCount
    let hasReturn = dropsCarriageReturn && count > 0 && bytes.byte(at: count - 1) == 0x0D
    let byteCount = hasReturn ? count - 1 : count
    guard byteCount <= maximumByteCount else { return .tooLong }
    guard end != nil else {
      scannedByteCount = count
      return .needsMore
    }
    return .line(byteCount: byteCount, endByteCount: count - byteCount + 1)
  }

  private func lineFeed(in bytes: RawSpan) -> Int? {
    unsafe bytes.withUnsafeBytes { bytes in
      guard scannedByteCount < bytes.count, let base = bytes.baseAddress else { return nil }
      let found = unsafe memchr(
        base + scannedByteCount, Int32(UInt8(ascii: "\n")), bytes.count - scannedByteCount)
      return unsafe found.map { unsafe UnsafeRawPointer($0) - base }
    }
  }
}

extension RawSpan {
  /// A byte within the span.
  fileprivate func byte(at offset: Int) -> UInt8 {
    unsafe unsafeLoad(fromByteOffset: offset, as: UInt8.self)
  }
}
