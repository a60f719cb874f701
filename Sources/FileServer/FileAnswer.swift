import Logging
import PosixAIO
import Reactor
import ReactorHTTP
import SystemPackage

/// Sends one file: reads a piece while the one before is on its way to the client.
///
/// Two pieces of memory go round between the disk and the socket, so a slow client holds two pieces
/// and no more, however large the file is.
final class FileAnswer {
  /// Large enough that the cost of a turn is small beside the bytes; small enough for a thousand
  /// clients.
  private static let pieceByteCount: Int64 = 128 * 1024
  private static let pieceCount = 2

  private let file: File
  private let responder: HTTPResponder
  private let logger: Logger
  private var idlePieces: [Piece] = []
  private var isReading = false
  private var isEnded = false
  private var offset: Int64 = 0

  /// A buffer on a heap of its own, since an array cannot hold what cannot be copied.
  private final class Piece {
    private var buffer: IOBuffer?

    init(_ buffer: consuming IOBuffer) {
      self.buffer = consume buffer
    }

    func take() -> IOBuffer? { buffer.take() }
  }

  private var byteCount: Int64 { file.openingStatus.byteCount }

  private init(_ file: File, _ responder: HTTPResponder, _ logger: Logger) {
    self.file = file
    self.responder = responder
    self.logger = logger
  }

  /// Answers with the file's metadata and, unless the client asked for those alone, its bytes. Closes
  /// the file.
  static func begin(_ file: File, isHead: Bool, _ responder: HTTPResponder, _ logger: Logger) {
    let answer = FileAnswer(file, responder, logger)
    responder.start(.ok, headers: answer.headers, contentLength: Int(answer.byteCount))
    if isHead || answer.byteCount == 0 {
      answer.end()
    } else {
      let capacity = Int(min(pieceByteCount, answer.byteCount))
      let pieceCount = answer.byteCount > pieceByteCount ? pieceCount : 1
      answer.idlePieces = (0..<pieceCount).map { _ in Piece(IOBuffer(capacity: capacity)) }
      answer.readNext()
    }
  }

  private var headers: HTTPFields {
    let status = file.openingStatus
    return [
      "Content-Type": contentType(of: file.path),
      "Last-Modified": HTTPDate(secondsSinceEpoch: status.modified.seconds).description,
      "ETag": entityTag(status),
    ]
  }

  /// Reads the next piece if there is one, room for it, and somebody to send it to.
  private func readNext() {
    guard !isEnded, !isReading else { return }
    guard !responder.isConnectionLost else { return end() }
    guard let buffer = idlePieces.popLast()?.take() else { return }
    let wanted = Int(min(byteCount - offset, Int64(buffer.capacity)))
    isReading = true
    do throws(Errno) {
      try file.read(into: buffer, byteCount: wanted, at: offset) { [self] result, buffer in
        isReading = false
        pieceRead(result, buffer)
      }
    } catch {
      fail("\(error)")
    }
  }

  private func pieceRead(_ result: Result<Int, FileError>, _ buffer: consuming IOBuffer) {
    switch result {
    case .failure(let error):
      fail("\(error)")
    case .success(0):
      fail("\"\(file.path)\" has become shorter while it was sent")
    case .success(let count):
      offset += Int64(count)
      responder.write(buffer) { [self] _, buffer in
        idlePieces.append(Piece(buffer))
        readNext()
      }
      if offset == byteCount { end() } else { readNext() }
    }
  }

  /// The answer has begun, so only a broken connection can tell the client.
  private func fail(_ reason: String) {
    logger.error("sending was broken off: \(reason)")
    isEnded = true
    responder.cut()
    file.close()
  }

  /// All is written, or nobody is left to write to.
  private func end() {
    isEnded = true
    responder.end()
    file.close()
  }
}
