@testable import ReactorHTTP

/// The state of a connection when it is ended.
enum HTTPState: String, CaseIterable, Sendable {
  // There is no complete request.
  case idle, headHalf, answered
  // The handler waits for another operation; half of the body has arrived.
  case headWhole, bodyUnread
  // A reader waits for the other half.
  case bodyNext, bodyReadAll, bodyFile, bodyChunks, bodyAsyncReadAll, bodyAsyncFile
  // The response has begun, and the client does not read it.
  case responseBegun, pieceSent, piecesUnsent, fileUnsent, wholeUnsent, bodyAndPiecesUnsent
  // Another request waits for an unsent response.
  case pipelined

  /// How the body is read; nil if it is not.
  var reading: BodyReading? {
    switch self {
    case .bodyNext, .bodyAndPiecesUnsent: .next
    case .bodyReadAll: .readAll
    case .bodyFile: .file
    case .bodyChunks: .chunks
    case .bodyAsyncReadAll: .asyncReadAll
    case .bodyAsyncFile: .asyncFile
    default: nil
    }
  }

  var requestCount: Int {
    switch self {
    case .idle, .headHalf: 0
    case .pipelined: 2
    default: 1
    }
  }

  /// The bytes that the client sends.
  var requestText: String {
    let get = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    return switch self {
    case .idle: ""
    case .headHalf: "GET / HTTP/1.1\r\nHost: "
    case .bodyUnread: "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nHello"
    case .pipelined: get + get
    default:
      reading == nil ? get : "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nHello"
    }
  }

  /// The missing part of the body.
  var restText: String { reading != nil || self == .bodyUnread ? "World" : "" }
}

/// How the connection ends.
enum HTTPEnding: String, CaseIterable, Sendable {
  case clientEndsItsSide, clientCloses, clientResets
  case responseIsCut, writerIsDropped
  case serverShutsDown, serverIsDropped
  case loopIsClosed, loopIsDropped

  /// Whether the handler gets no report, and continues to respond.
  var needsResponse: Bool {
    [.clientEndsItsSide, .clientCloses, .serverShutsDown].contains(self)
  }

  var endsLoop: Bool { self == .loopIsClosed || self == .loopIsDropped }
}
