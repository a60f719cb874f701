internal import PosixAIO
public import Reactor
internal import SystemPackage

extension HTTPServer {
  /// The body of a request. It arrives as it is read.
  ///
  /// Bytes that are not read stay with the client: arriving bytes fill the input of the connection
  /// up to ``HTTPServer/Configuration/inputByteCount``, and then the kernel stops the client. The
  /// memory of a connection is therefore bounded, however much a client sends. The first read sends
  /// a 100 to a client that sent `Expect: 100-continue`.
  ///
  /// ```swift
  /// func step() {
  ///   request.body.next { result in
  ///     guard case .success(let bytes?) = result else { return }  // the end, or a failure
  ///     …
  ///     step()
  ///   }
  /// }
  /// ```
  ///
  /// Only one reader may read a body at a time. When the response is written, a body that has not
  /// been read to its end is dropped: a short rest is read and discarded; after a long one the
  /// connection is closed. Later reads get ``Failure/connectionClosed(_:)`` instead of bytes after
  /// the gap.
  ///
  /// If the connection ends first, a waiting reader gets ``Failure/connectionClosed(_:)``. A body
  /// may outlive its connection and its loop.
  public final class RequestBody {
    /// The reason why a body is incomplete.
    public enum Failure: Error, Equatable, Sendable {
      /// The body violates RFC 9112; the text names the rule. No request can follow it.
      case malformed(String)

      /// The body is larger than ``HTTPServer/Configuration/bodyByteLimit``, or than the limit of
      /// its reader.
      case tooLarge

      /// The client exceeded ``HTTPServer/Configuration/requestTimeout``.
      case timedOut

      /// The connection has ended.
      case connectionClosed(Connection.CloseReason)

      /// The status to respond with: 400, 413 or 408.
      public var status: HTTPStatus {
        switch self {
        case .malformed, .connectionClosed: .badRequest
        case .tooLarge: .contentTooLarge
        case .timedOut: .requestTimeout
        }
      }
    }

    /// Receives the next bytes, nil at the end, or the failure.
    public typealias Handler = (Result<[UInt8]?, Failure>) -> Void

    /// The most bytes that a handler receives at a time.
    public static let chunkByteCount = 64 * 1024

    /// The largest unread rest of a body, in bytes, that is read and discarded to keep the
    /// connection.
    static let dropLimit: Int64 = 256 * 1024

    /// The announced length in bytes, 0 without a body; nil for a chunked body.
    public let contentLength: Int64?

    /// The bytes of content that were read or dropped so far.
    public private(set) var receivedByteCount: Int64 = 0

    /// The trailer fields of a chunked body, once it is complete; empty for most.
    public var trailers: HeaderFields { decoder.trailerFields }

    /// Whether all bytes were read or dropped.
    public var isComplete: Bool { decoder.isComplete && available == 0 }

    package let core: LoopCore
    #if !DEBUG
      @safe @exclusivity(unchecked)
    #endif
    private var decoder: BodyDecoder
    private let limit: Int64
    /// Nil once the body is finished or the connection has ended.
    private var connection: ServerConnection?
    /// The bytes of content at the front of the connection's input that the decoder has already
    /// passed.
    private var available = 0
    private var isContinueDue: Bool
    /// Why the body is incomplete; nil if it has not failed.
    public private(set) var failure: Failure?
    private var reader: (() -> Void)?
    private var droppedByteCount: Int64?
    /// Whether a pump reads the body. It waits alternately for bytes and for room in its file.
    private var isPumped = false

    init(
      _ head: RequestHead, _ connection: ServerConnection, limit: Int64, trailerLimits: HeadLimits
    ) {
      contentLength =
        switch head.framing {
        case .none: 0
        case .length(let byteCount): byteCount
        case .chunked: nil
        }
      core = connection.core
      decoder = BodyDecoder(head.framing, trailerLimits: trailerLimits)
      isContinueDue = head.expectsContinue
      self.limit = limit
      self.connection = decoder.isComplete ? nil : connection
    }

    /// Creates the body of a request without one.
    init(emptyOn core: LoopCore) {
      contentLength = 0
      self.core = core
      decoder = BodyDecoder(.none, trailerLimits: HeadLimits())
      isContinueDue = false
      limit = .max
    }

    // MARK: - Reading

    /// Reads the next bytes.
    ///
    /// - Parameter handler: The loop calls it once, never from inside this call: with 1 to
    ///   ``chunkByteCount`` bytes, nil at the end, or the failure. Reads after the end or a failure
    ///   give the same result again.
    public func next(_ handler: @escaping Handler) {
      checkReader()
      whenReadable { [self] in handler(takeNext(atMost: Self.chunkByteCount)) }
    }

    /// Reads the whole body.
    ///
    /// - Parameters:
    ///   - limit: The most bytes to accept, 0 or more. A larger body gives ``Failure/tooLarge``; if
    ///     its announced length is larger, it is not read at all.
    ///   - handler: The loop calls it once, never from inside this call.
    public func readAll(upTo limit: Int, _ handler: @escaping (Result<[UInt8], Failure>) -> Void) {
      require(limit >= 0, "RequestBody: the limit of readAll is 0 or more")
      checkReader()
      if let contentLength, contentLength > limit {
        fail(.tooLarge)
        return core.complete { handler(.failure(.tooLarge)) }
      }
      collect([], upTo: limit, handler)
    }

    private func collect(
      _ former: [UInt8], upTo limit: Int,
      _ handler: @escaping (Result<[UInt8], Failure>) -> Void
    ) {
      var bytes = former
      whenReadable { [self] in
        while true {
          if isOver(Int64(limit)) { fail(.tooLarge) }
          let room = limit - bytes.count
          // One more byte, to detect a body that is too large.
          switch takeNext(atMost: room < .max ? room + 1 : room) {
          case .failure(let failure): return handler(.failure(failure))
          case .success(nil): return handler(.success(bytes))
          case .success(let more?):
            bytes += more
          }
          if readableByteCount == 0, !hasEnded { return collect(bytes, upTo: limit, handler) }
        }
      }
    }

    /// Returns the bytes that have arrived.
    func takeNext(atMost byteCount: Int) -> Result<[UInt8]?, Failure> {
      if isIncomplete { return .failure(failure ?? .connectionClosed(.local)) }
      var bytes: [UInt8] = []
      consume { content in
        let taken = content.extracting(first: byteCount)
        bytes = unsafe taken.withUnsafeBytes { unsafe Array($0) }
        return taken.byteCount
      }
      if !bytes.isEmpty { return .success(bytes) }
      if let failure { return .failure(failure) }
      return .success(nil)
    }

    // MARK: - For the connection

    /// Whether a reader waits for bytes that have not arrived.
    var isAwaited: Bool { reader != nil || droppedByteCount != nil && !isThrough }

    /// Whether a reader takes the rest from the connection, so it must not be dropped.
    var isBeingRead: Bool { connection != nil && (reader != nil || isPumped) }

    /// Whether no byte of the body is left in the connection.
    var isThrough: Bool { connection == nil && failure == nil }

    /// Whether the connection must end after a response that begins now.
    ///
    /// - Parameter isWhole: Whether the response also ends now. If it goes on, a reader that has
    ///   begun may still read to the end.
    func endsConnection(isWhole: Bool) -> Bool {
      if failure != nil { return true }
      guard connection != nil, !isBeingRead, isWhole || receivedByteCount == 0 else {
        return false
      }
      if isContinueDue { return true }
      return decoder.announcedByteCount > Self.dropLimit
    }

    /// Whether bytes were dropped, so the rest is useless.
    private var isIncomplete: Bool { droppedByteCount ?? 0 > 0 }

    /// Calls the waiting reader if there are bytes or an end for it.
    ///
    /// - Returns: Whether a reader was called.
    func resumeReader() -> Bool {
      advance()
      guard let reader, available > 0 || hasEnded else { return false }
      self.reader = nil
      reader()
      return true
    }

    enum Rest {
      case isThrough
      case needsMore
      case isTooMuch
    }

    /// Reads and discards the rest, unless a reader is active.
    func drop() -> Rest {
      if isBeingRead { return .needsMore }
      while true {
        advance()
        if isThrough { return .isThrough }
        if failure != nil || isContinueDue { return .isTooMuch }
        let dropped = (droppedByteCount ?? 0) + Int64(available)
        droppedByteCount = dropped
        guard dropped + decoder.announcedByteCount <= Self.dropLimit else { return .isTooMuch }
        guard available > 0 else { return decoder.isComplete ? .isTooMuch : .needsMore }
        take { $0.byteCount }
      }
    }

    func timedOut() { fail(.timedOut) }

    /// A pump takes over the body.
    func pumpBegins() {
      checkReader()
      isPumped = true
    }

    private func checkReader() {
      require(reader == nil && !isPumped, "RequestBody: only one reader may read a body at a time")
    }

    /// The pump has ended, with the whole body or without.
    func pumpEnded() {
      isPumped = false
      connection?.bodyIsThrough()
    }

    /// The waiting reader was cancelled.
    func giveUp() {
      if reader != nil { fail(.connectionClosed(.local)) }
    }

    /// Content that has arrived cannot be read any more, because the input of the connection is
    /// gone.
    func connectionClosed(_ reason: Connection.CloseReason) {
      guard connection != nil else { return }
      if !decoder.isComplete || available > 0 { fail(.connectionClosed(reason)) }
      connection = nil
    }

    private func fail(_ failure: Failure) {
      guard self.failure == nil else { return }
      self.failure = failure
      available = 0
      if let reader {
        self.reader = nil
        reader()
      }
    }

    /// Decodes the input up to the next content, as far as it has arrived.
    private func advance() {
      guard let connection, available == 0, failure == nil else { return }
      var isStuck = false
      while available == 0, !decoder.isComplete, !isStuck, failure == nil {
        connection.consume { bytes in
          do throws(RequestError) {
            let step = try decoder.decode(bytes)
            available = step.content.count
            isStuck = step.consumedByteCount == 0
            return step.consumedByteCount - available
          } catch {
            failure = .malformed(error.explanation)
            return 0
          }
        }
      }
      if isOver(limit) {
        available = 0
        failure = .tooLarge
      } else if available == 0, !decoder.isComplete, failure == nil, connection.inputHasEnded {
        failure = .connectionClosed(.endOfInput)
      }
      noteEnd()
    }

    /// Whether the bytes taken, available and announced exceed a limit.
    private func isOver(_ limit: Int64) -> Bool {
      let room = limit - receivedByteCount - Int64(available)
      return room < 0 || decoder.announcedByteCount > room
    }

    private func noteEnd() {
      guard available == 0, decoder.isComplete, failure == nil, let connection else { return }
      self.connection = nil
      connection.bodyIsThrough()
    }
  }
}

extension HTTPServer.RequestBody: ByteSource {
  package var sourceAddress: SocketAddress? { connection?.peerAddress }

  package var readableByteCount: Int {
    advance()
    return isIncomplete ? 0 : available
  }

  package var hasEnded: Bool {
    isIncomplete
      || available == 0 && (failure != nil || decoder.isComplete || connection == nil)
  }

  package var inputEndReason: Connection.CloseReason? {
    switch failure {
    case nil where isIncomplete: .local
    case nil: isThrough ? .endOfInput : connection?.closeReason
    case .malformed: .failed(.badMessage)
    case .tooLarge: .failed(.fileTooLarge)
    case .timedOut: .timedOut(.input)
    // A pump may take the end of the input for the end of the body.
    case .connectionClosed(.endOfInput): .failed(.connectionReset)
    case .connectionClosed(let reason): reason
    }
  }

  package func consume(_ body: (RawSpan) -> Int) {
    advance()
    guard !isIncomplete else { return }
    take(body)
  }

  private func take(_ body: (RawSpan) -> Int) {
    guard let connection, available > 0 else { return }
    connection.consume { bytes in
      let count = body(bytes.extracting(first: available))
      available -= count
      receivedByteCount += Int64(count)
      return count
    }
    noteEnd()
  }

  package func whenReadable(_ resume: @escaping () -> Void) {
    guard let connection, failure == nil, !isIncomplete else { return core.complete(resume) }
    connection.checkThread()
    if isContinueDue {
      isContinueDue = false
      connection.sendContinue()
    }
    reader = resume
    connection.bodyIsAwaited(isReadable: available > 0)
  }

  package func stopWaiting() {
    reader = nil
    connection?.bodyIsThrough()
  }

  package func acknowledgeEnd() {}
}
