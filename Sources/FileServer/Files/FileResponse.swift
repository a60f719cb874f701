import PosixAIO
import Reactor
import ReactorHTTP
import SystemPackage

/// Sends a file, or parts of it, as a response.
///
/// All of it is written at once; the connection takes the file's bytes from the page cache without
/// a copy, or reads them while the ones before are on their way. So a slow client holds little
/// memory, however large the file is.
struct FileResponse {
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

  private let status: HTTPStatus
  private let headers: HeaderFields
  private let sections: [Section]

  /// Answers with what the request asks for, under its conditions.
  static func begin(
    _ chosen: Representation, _ request: HTTPServer.Request, _ responder: HTTPServer.ResponseWriter
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
    case .whole: sendWhole(chosen, responder)
    case .parts(let parts): sendParts(chosen, parts, responder)
    case .unsatisfiable:
      responder.refuse(
        .rangeNotSatisfiable, headers: ["Content-Range": "bytes */\(chosen.byteCount)"])
    }
  }

  private static func ranges(
    _ chosen: Representation, _ request: HTTPServer.Request, _ conditions: Conditions
  ) -> ByteRanges {
    // For GET only, says section 14.2.
    guard request.method == .get, let header = request.headers["Range"],
      conditions.allowRange(of: chosen.current, now: .now)
    else { return .whole }
    return ByteRanges(header, byteCount: chosen.byteCount)
  }

  private static func sendWhole(
    _ chosen: Representation, _ responder: HTTPServer.ResponseWriter
  ) {
    responder.start(.ok, headers: chosen.wholeHeaders, contentLength: chosen.byteCount)
    responder.write(chosen.file.file, 0..<chosen.byteCount)
    responder.end()
  }

  private static func sendParts(
    _ chosen: Representation, _ parts: [Range<Int64>], _ responder: HTTPServer.ResponseWriter
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
    FileResponse(status: .partialContent, headers: headers, sections: sections)
      .send(chosen.file, responder)
  }

  private static func contentRange(_ part: Range<Int64>, of chosen: Representation) -> String {
    "bytes \(part.lowerBound)-\(part.upperBound - 1)/\(chosen.byteCount)"
  }

  /// Where the file can't be read, or has become shorter, the connection is cut: only that can
  /// tell the client, who was promised more.
  private func send(_ file: OpenFile, _ responder: HTTPServer.ResponseWriter) {
    responder.start(
      status, headers: headers, contentLength: sections.reduce(0) { $0 + $1.byteCount })
    for section in sections {
      switch section {
      case .text(let text):
        responder.write(IOBuffer(copying: text.utf8)) { _, _ in }
      case .bytes(let range):
        responder.write(file.file, range)
      }
    }
    responder.end()
  }
}
