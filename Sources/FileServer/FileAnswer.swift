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
  private let file: File
  private let reader: FileReader
  private let responder: HTTPResponder
  private let logger: Logger
  private var isEnded = false

  private var byteCount: Int64 { file.openingStatus.byteCount }

  private init(_ file: File, _ responder: HTTPResponder, _ logger: Logger) {
    self.file = file
    self.responder = responder
    self.logger = logger
    var configuration = FileReader.Configuration()
    // Beside the one that is on its way.
    configuration.chunkCount = 1
    reader = FileReader(
      file, 0..<file.openingStatus.byteCount, configuration: configuration)
  }

  /// Answers with the file's metadata and, unless the client asked for those alone, its bytes.
  /// Closes the file.
  static func begin(_ file: File, isHead: Bool, _ responder: HTTPResponder, _ logger: Logger) {
    let answer = FileAnswer(file, responder, logger)
    responder.start(.ok, headers: answer.headers, contentLength: Int(answer.byteCount))
    if isHead || answer.byteCount == 0 {
      answer.end()
    } else {
      answer.sendNext()
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

  /// Sends the next piece, if there is one and somebody to send it to.
  private func sendNext() {
    guard !isEnded else { return }
    guard !responder.isConnectionLost else { return end() }
    reader.next { [self] result in
      switch consume result {
      case .failure(let error): fail("\(error)")
      case .success(nil): fail("\"\(file.path)\" has become shorter while it was sent")
      case .success(let piece?): send(piece)
      }
    }
  }

  private func send(_ piece: consuming IOBuffer) {
    responder.write(piece) { [self] _, piece in
      reader.recycle(piece)
      sendNext()
    }
    if reader.offset == byteCount { end() }
  }

  /// The answer has begun, so only a broken connection can tell the client.
  private func fail(_ reason: String) {
    logger.error("sending was broken off: \(reason)")
    isEnded = true
    reader.cancel()
    responder.cut()
    file.close()
  }

  /// All is written, or nobody is left to write to.
  private func end() {
    isEnded = true
    reader.cancel()
    responder.end()
    file.close()
  }
}
