import PosixAIO
import Reactor
import ReactorHTTP
import SystemPackage

/// Sends a file, or parts of it, as a response.
///
/// The whole response is written immediately. The connection sends the bytes of the file from the
/// page cache without a copy, or reads them while earlier bytes are in flight. A slow client
/// therefore holds little memory, however large the file is.
struct FileResponse {
  /// The parts of a body, in order.
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

  /// Sends the representation, or the requested ranges of it, if the conditions hold.
  static func begin(
    _ chosen: Representation, _ request: HTTPServer.Request, _ writer: HTTPServer.ResponseWriter
  ) {
    let conditions = Conditions(request.headers)
    switch conditions.outcome(chosen.current, isReading: true) {
    case .proceed: break
    case .notModified:
      return writer.send(.notModified, headers: chosen.headers)
    case .preconditionFailed:
      return writer.refuse(.preconditionFailed)
    }
    switch ranges(chosen, request, conditions) {
    case .whole: sendWhole(chosen, writer)
    case .parts(let parts): sendParts(chosen, parts, writer)
    case .unsatisfiable:
      writer.refuse(
        .rangeNotSatisfiable, headers: ["Content-Range": "bytes */\(chosen.byteCount)"])
    }
  }

  /// Sends the whole file as the content of an error, without regard to conditions and ranges.
  static func sendPage(
    _ page: OpenFile, as status: HTTPStatus, _ writer: HTTPServer.ResponseWriter
  ) {
    let headers: HeaderFields = ["Content-Type": page.mediaType.name]
    writer.start(status, headers: headers, contentLength: page.status.byteCount)
    writer.write(page.file, 0..<page.status.byteCount)
    writer.end()
  }

  private static func ranges(
    _ chosen: Representation, _ request: HTTPServer.Request, _ conditions: Conditions
  ) -> ByteRanges {
    // Section 14.2 allows ranges for GET only.
    guard request.method == .get, let header = request.headers["Range"],
      conditions.allowRange(of: chosen.current, now: .now)
    else { return .whole }
    return ByteRanges(header, byteCount: chosen.byteCount)
  }

  private static func sendWhole(
    _ chosen: Representation, _ writer: HTTPServer.ResponseWriter
  ) {
    writer.start(.ok, headers: chosen.wholeHeaders, contentLength: chosen.byteCount)
    writer.write(chosen.file.file, 0..<chosen.byteCount)
    writer.end()
  }

  private static func sendParts(
    _ chosen: Representation, _ parts: [Range<Int64>], _ writer: HTTPServer.ResponseWriter
  ) {
    var headers = chosen.headers
    var sections: [Section] = []
    if parts.count == 1 {
      headers.add("Content-Type", chosen.mediaType.name)
      headers.add("Content-Range", contentRange(parts[0], of: chosen))
      sections = [.bytes(parts[0])]
    } else {
      // The boundary is random, so no file can be made to contain it.
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
      .send(chosen.file, writer)
  }

  private static func contentRange(_ part: Range<Int64>, of chosen: Representation) -> String {
    "bytes \(part.lowerBound)-\(part.upperBound - 1)/\(chosen.byteCount)"
  }

  /// If the file cannot be read or has become shorter, the connection is closed: the client expects
  /// more bytes, and has no other way to notice.
  private func send(_ file: OpenFile, _ writer: HTTPServer.ResponseWriter) {
    writer.start(
      status, headers: headers, contentLength: sections.reduce(0) { $0 + $1.byteCount })
    for section in sections {
      switch section {
      case .text(let text):
        writer.write(IOBuffer(copying: text.utf8)) { _, _ in }
      case .bytes(let range):
        writer.write(file.file, range)
      }
    }
    writer.end()
  }
}
