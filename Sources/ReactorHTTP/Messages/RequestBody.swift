internal import PosixAIO
public import Reactor
internal import SystemPackage

extension HTTPServer {
  /// The body of a request, which arrives while it is asked for.
  ///
  /// What nobody asks for stays with the client: what arrives fills the connection's input up to
  /// ``HTTPServer/Configuration/inputByteCount``, and then the kernel holds the client up. So the
  /// memory of a connection is bounded whatever a client sends. A client that sent
  /// `Expect: 100-continue` is told to go on when somebody asks for the first time.
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
  /// One at a time reads it. A body that nobody has read to its end when the response is written is
  /// dropped: a short rest is read and forgotten, and behind a long one the connection is closed.
  /// Who asks for it afterwards gets ``Failure/connectionClosed(_:)``, and not what follows the
  /// gap.
  ///
  /// When the connection ends first, whoever waits gets ``Failure/connectionClosed(_:)``. The body
  /// may outlive its connection and its loop.
  public final class RequestBody {
    /// Why a body is not whole.
    public enum Failure: Error, Equatable, Sendable {
      /// It breaks the rules of `RFC 9112`; the text says which one. Nothing can follow it.
      case malformed(String)

      /// It is larger than ``HTTPServer/Configuration/bodyByteLimit``, or than whoever reads it
      /// allows.
      case tooLarge

      /// The client took longer than ``HTTPServer/Configuration/requestTimeout`` says.
      case timedOut

      /// The connection has ended.
      case connectionClosed(Connection.CloseReason)

      /// What a client is told: 400, 413 or 408.
      public var status: HTTPStatus {
        switch self {
        case .malformed, .connectionClosed: .badRequest
        case .tooLarge: .contentTooLarge
        case .timedOut: .requestTimeout
        }
      }
    }

    /// Gets the next bytes, nil at the end, or why there are none.
    public typealias Handler = (Result<[UInt8]?, Failure>) -> Void

    /// The most bytes that a handler gets at a time.
    public static let chunkByteCount = 64 * 1024

    /// What of an unread body is read and forgotten, so that the connection goes on.
    static let dropLimit: Int64 = 256 * 1024

    /// The bytes that the client has announced, 0 where there is no body; nil where it did not say
    /// and sends chunks.
    public let contentLength: Int64?

    /// The bytes of content that were taken so far.
    public private(set) var receivedByteCount: Int64 = 0

    /// The trailer fields of a chunked body, once it is complete; empty for most.
    public var trailers: HeaderFields { decoder.trailerFields }

    /// Whether all of it was taken.
    public var isComplete: Bool { decoder.isComplete && available == 0 }

    let core: LoopCore
    #if !DEBUG
      @safe @exclusivity(unchecked)
    #endif
    private var decoder: BodyDecoder
    private let limit: Int64
    /// Nil once the body is through or the connection gone.
    private var connection: ServerConnection?
    /// Content at the very front of the connection's input, which the decoder has counted already.
    private var available = 0
    private var isContinueDue: Bool
    /// Why the body is not whole, once that is known.
    public private(set) var failure: Failure?
    private var reader: (() -> Void)?
    private var droppedByteCount: Int64?
    /// A pump waits now for bytes and now for room in its file.
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

    /// The body of a request that has none.
    init(emptyOn core: LoopCore) {
      contentLength = 0
      self.core = core
      decoder = BodyDecoder(.none, trailerLimits: HeadLimits())
      isContinueDue = false
      limit = .max
    }

    // MARK: - Reading

    /// Asks for the next bytes.
    ///
    /// - Parameter handler: Called once by the loop, never from inside this call: with 1 to
    ///   ``chunkByteCount`` bytes, nil behind the last one, or the failure. Behind the end and a
    ///   failure it gets the same again.
    public func next(_ handler: @escaping Handler) {
      checkReader()
      whenReadable { [self] in handler(takeNext(atMost: Self.chunkByteCount)) }
    }

    /// Asks for the whole body.
    ///
    /// - Parameters:
    ///   - limit: The most bytes that it may have, 0 or more; with more the outcome is
    ///     ``Failure/tooLarge``, and what was announced as more is not even read.
    ///   - handler: Called once by the loop, never from inside this call.
    public func readAll(upTo limit: Int, _ handler: @escaping (Result<[UInt8], Failure>) -> Void) {
      require(limit >= 0, "RequestBody: a limit is 0 or more")
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
          // One more, to tell a body that is too large.
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

    /// Takes what is there.
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

    // MARK: - What the connection asks and tells

    /// Whether somebody waits for bytes that have not arrived.
    var isAwaited: Bool { reader != nil || droppedByteCount != nil && !isThrough }

    /// Whether somebody reads what is left with the connection, so that it is not to be dropped.
    var isBeingRead: Bool { connection != nil && (reader != nil || isPumped) }

    /// Whether nothing of it is left with the connection.
    var isThrough: Bool { connection == nil && failure == nil }

    /// Whether the connection can't go on behind a response that begins now.
    ///
    /// - Parameter isWhole: Whether the response ends now, too. Behind one that goes on, whoever
    ///   has begun to read may well read to the end.
    func endsConnection(isWhole: Bool) -> Bool {
      if failure != nil { return true }
      guard connection != nil, !isBeingRead, isWhole || receivedByteCount == 0 else {
        return false
      }
      if isContinueDue { return true }
      return decoder.announcedByteCount > Self.dropLimit
    }

    /// Whether bytes were dropped, so that what follows them is of no use.
    private var isIncomplete: Bool { droppedByteCount ?? 0 > 0 }

    /// Calls whoever waits, if there is something for them.
    ///
    /// - Returns: Whether somebody was called.
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

    /// Reads and forgets what is left, unless somebody reads it.
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

    /// A pump has the body for itself from now on.
    func pumpBegins() {
      checkReader()
      isPumped = true
    }

    private func checkReader() {
      require(reader == nil && !isPumped, "RequestBody: one at a time reads a body")
    }

    /// The pump is done, with all of it or not.
    func pumpEnded() {
      isPumped = false
      connection?.bodyIsThrough()
    }

    /// Whoever waits does not want to any more.
    func giveUp() {
      if reader != nil { fail(.connectionClosed(.local)) }
    }

    /// Content that has arrived stays out of reach, as the connection's input is gone.
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

    /// Decodes up to the next content, as far as it has arrived.
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

    /// Whether what was taken, what is there and what is announced is more than may come.
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
  package var readableByteCount: Int {
    advance()
    return isIncomplete ? 0 : available
  }

  package var hasEnded: Bool {
    isIncomplete
      || available == 0 && (failure != nil || decoder.isComplete || connection == nil)
  }

  package var closeReason: Connection.CloseReason? {
    switch failure {
    case nil where isIncomplete: .local
    case nil: isThrough ? .endOfInput : connection?.closeReason
    case .malformed: .failed(.badMessage)
    case .tooLarge: .failed(.fileTooLarge)
    case .timedOut: .timedOut(.input)
    // That a pump may take for the whole body.
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
