@testable import ReactorHTTP

/// What is going on between a client and a server when one of them ends it.
enum HTTPState: String, CaseIterable, Sendable {
  // No request is there.
  case idle, headHalf, answered
  // The handler waits for something of its own; the body is half there.
  case headWhole, bodyUnread
  // Somebody waits for the other half.
  case bodyNext, bodyReadAll, bodyFile, bodyChunks, bodyAsyncReadAll, bodyAsyncFile
  // The response has begun, and the client does not take it.
  case responseBegun, pieceSent, piecesUnsent, fileUnsent, wholeUnsent, bodyAndPiecesUnsent
  // Another request waits behind a response that is unsent.
  case pipelined

  /// How the body is read; nil where it is not.
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

  /// What the client sends.
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

  /// What is missing of the body.
  var restText: String { reading != nil || self == .bodyUnread ? "World" : "" }
}

/// How it ends.
enum HTTPEnding: String, CaseIterable, Sendable {
  case clientEndsItsSide, clientCloses, clientResets
  case responseIsCut, writerIsDropped
  case serverShutsDown, serverIsDropped
  case loopIsClosed, loopIsDropped

  /// Whether the handler is not told, and goes on to respond.
  var needsResponse: Bool {
    [.clientEndsItsSide, .clientCloses, .serverShutsDown].contains(self)
  }

  var endsLoop: Bool { self == .loopIsClosed || self == .loopIsDropped }
}
