import Logging
import PosixAIO
import Reactor
import ReactorHTTP
import SystemPackage

/// Sends a file, or parts of it: reads a piece while the one before is on its way to the client.
///
/// Two pieces of memory go round between the disk and the socket, so a slow client holds two pieces
/// and no more, however large the file is.
final class FileAnswer {
  /// What a body consists of, in order.
  private enum Section {
    case text(String)
    case bytes(Range<Int64>)

    var byteCount: Int64 {
      switch self {
      case .text(let text): Int64(text.utf8.count)
      case .bytes(let range): Int64(range.count)
      }
    }
  }

  private enum State {
    /// Between sections.
    case idle
    case reading(FileReader, end: Int64)
    case ended
  }

  /// What the answer says before its body.
  private struct Head {
    let status: HTTPStatus
    let headers: HTTPFields
    let byteCount: Int64
  }

  /// Nil when the answer has ended: others may go on to use it.
  private var file: OpenFile?
  private let responder: HTTPResponder
  private let logger: Logger
  private let head: Head
  private var sections: ArraySlice<Section>
  private var state = State.idle

  private init(
    _ file: OpenFile, _ head: Head, _ sections: [Section], _ responder: HTTPResponder,
    _ logger: Logger
  ) {
    self.file = file
    self.head = head
    self.sections = sections[...]
    self.responder = responder
    self.logger = logger
  }

  /// Answers with what the request asks for, under its conditions.
  static func begin(
    _ chosen: Representation, _ request: HTTPRequest, _ responder: HTTPResponder,
    _ logger: Logger
  ) {
    let conditions = Conditions(request.headers)
    switch conditions.outcome(chosen.current, isReading: true) {
    case .proceed: break
    case .notModified:
      return responder.send(.notModified, headers: chosen.headers)
    case .preconditionFailed:
      return responder.refuse(.preconditionFailed)
    }
    switch ranges(chosen, request, conditions) {
    case .whole: sendWhole(chosen, isHead: request.method == .head, responder, logger)
    case .parts(let parts): sendParts(chosen, parts, responder, logger)
    case .unsatisfiable:
      responder.refuse(
        .rangeNotSatisfiable, headers: ["Content-Range": "bytes */\(chosen.byteCount)"])
    }
  }

  private static func ranges(
    _ chosen: Representation, _ request: HTTPRequest, _ conditions: Conditions
  ) -> ByteRanges {
    // For GET only, says section 14.2.
    guard request.method == .get, let header = request.headers["Range"],
      conditions.allowRange(of: chosen.current, now: .now)
    else { return .whole }
    return ByteRanges(header, byteCount: chosen.byteCount)
  }

  private static func sendWhole(
    _ chosen: Representation, isHead: Bool, _ responder: HTTPResponder, _ logger: Logger
  ) {
    var headers = chosen.headers
    headers.add("Content-Type", chosen.mediaType.name)
    let sections: [Section] =
      chosen.byteCount == 0 || isHead ? [] : [.bytes(0..<chosen.byteCount)]
    let head = Head(status: .ok, headers: headers, byteCount: chosen.byteCount)
    FileAnswer(chosen.file, head, sections, responder, logger).sendNextSection()
  }

  private static func sendParts(
    _ chosen: Representation, _ parts: [Range<Int64>], _ responder: HTTPResponder,
    _ logger: Logger
  ) {
    var headers = chosen.headers
    var sections: [Section] = []
    if parts.count == 1 {
      headers.add("Content-Type", chosen.mediaType.name)
      headers.add("Content-Range", contentRange(parts[0], of: chosen))
      sections = [.bytes(parts[0])]
    } else {
      // Nobody can write a file that has it in it.
      let boundary = (0..<2).map { _ in String(UInt64.random(in: 0 ... .max), radix: 36) }.joined()
      headers.add("Content-Type", "multipart/byteranges; boundary=\(boundary)")
      for (index, part) in parts.enumerated() {
        sections.append(
          .text(
            (index == 0 ? "" : "\r\n") + "--\(boundary)\r\n"
              + "Content-Type: \(chosen.mediaType.name)\r\n"
              + "Content-Range: \(contentRange(part, of: chosen))\r\n\r\n"))
        sections.append(.bytes(part))
      }
      sections.append(.text("\r\n--\(boundary)--\r\n"))
    }
    let byteCount = sections.reduce(0) { $0 + $1.byteCount }
    let head = Head(status: .partialContent, headers: headers, byteCount: byteCount)
    FileAnswer(chosen.file, head, sections, responder, logger).sendNextSection()
  }

  private static func contentRange(_ part: Range<Int64>, of chosen: Representation) -> String {
    "bytes \(part.lowerBound)-\(part.upperBound - 1)/\(chosen.byteCount)"
  }

  // MARK: - Sending

  /// Behind the first read, so that head and content go out together, and a file that can't be read
  /// is answered with an error.
  private func startIfNeeded() {
    guard !responder.isStarted else { return }
    responder.start(head.status, headers: head.headers, contentLength: Int(head.byteCount))
  }

  private func sendNextSection() {
    switch sections.popFirst() {
    case nil:
      end()
    case .text(let text):
      startIfNeeded()
      responder.write(IOBuffer(copying: text.utf8)) { _, _ in }
      sendNextSection()
    case .bytes(let range):
      guard let file else { return }
      var configuration = FileReader.Configuration()
      // Beside the one that is on its way.
      configuration.chunkCount = 1
      let reader = FileReader(file.file, range, configuration: configuration)
      state = .reading(reader, end: range.upperBound)
      readNext()
    }
  }

  /// Reads the next piece, if there is one and somebody to send it to.
  private func readNext() {
    guard case .reading(let reader, let end) = state else { return }
    guard !responder.isConnectionLost else { return self.end() }
    reader.next { [self] result in
      switch consume result {
      case .failure(let error): fail("\(error)")
      case .success(nil): fail("\"\(reader.file.path)\" has become shorter while it was sent")
      case .success(let piece?): send(piece, of: reader, end: end)
      }
    }
  }

  private func send(_ piece: consuming IOBuffer, of reader: FileReader, end: Int64) {
    startIfNeeded()
    let isLast = reader.offset == end
    let hasMore = !sections.isEmpty
    responder.write(piece) { [self] _, piece in
      reader.recycle(piece)
      if !isLast { return readNext() }
      if hasMore { continueBehindPart() }
    }
    // Before the piece is sent, so that the end goes out with it.
    if isLast && !hasMore { self.end() }
  }

  /// The next part's memory is not taken before this one's is given back.
  private func continueBehindPart() {
    guard !responder.isConnectionLost else { return end() }
    sendNextSection()
  }

  /// Where the answer has begun, only a broken connection can tell the client.
  private func fail(_ reason: String) {
    logger.error("sending was broken off: \(reason)")
    if responder.isStarted { responder.cut() } else { responder.refuse(.internalServerError) }
    letGo()
  }

  /// All is written, or nobody is left to write to.
  private func end() {
    startIfNeeded()
    responder.end()
    letGo()
  }

  private func letGo() {
    if case .reading(let reader, _) = state { reader.cancel() }
    state = .ended
    file = nil
  }
}
