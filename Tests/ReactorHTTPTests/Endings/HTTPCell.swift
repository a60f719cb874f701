import PosixAIO
import Reactor
import SystemPackage
import TestSupport

@testable import ReactorHTTP

/// One state in one ending. Every promised callback runs exactly once.
final class HTTPCell {
  /// The number of callbacks that were promised, and of those that ran.
  struct Calls {
    var due = 0
    var made = 0
  }

  /// On the loop.
  final class Desk {
    var calls: [String: Calls] = [:]
    var outcomes: [HTTPServer.ResponseWriter.Outcome] = []
    var writers: [HTTPServer.ResponseWriter] = []
    var requests: [HTTPServer.Request] = []
    var requestCount = 0
    /// The writers whose response was begun and not ended.
    var streaming: Set<ObjectIdentifier> = []
    var file: File?
    weak var lastRequest: HTTPServer.Request?
    weak var lastWriter: HTTPServer.ResponseWriter?

    /// Promises a callback, and returns it.
    func promise(_ name: String) -> () -> Void {
      calls[name, default: Calls()].due += 1
      return { self.calls[name]?.made += 1 }
    }

    var isSettled: Bool {
      calls.allSatisfy { $0.key == "connection lost" || $0.value.made >= $0.value.due }
    }

    /// No handler is left to be notified.
    func serverIsGone() { calls["response end"] = nil }
  }

  static let pieceByteCount = 4_000_000

  let state: HTTPState
  let ending: HTTPEnding
  private let desk = OnLoop(Desk())
  private let bodies: BodyFile
  private let served: ServedLoop
  private let folder: TemporaryFolder
  private var client: Client?

  init(_ state: HTTPState, _ ending: HTTPEnding) throws {
    (self.state, self.ending) = (state, ending)
    let bodies = try BodyFile()
    let desk = desk
    folder = try TemporaryFolder()
    served = try ServedLoop { request, writer in
      desk.value.handle(request, writer, state, bodies)
    }
    self.bodies = bodies
    try bodies.open(served)
    try served.onLoop { server in
      // Each request promises one.
      server.value?.onResponseEnd = { _ in desk.value.calls["response end"]?.made += 1 }
    }
    if state == .fileUnsent { try openFile() }
  }

  private func openFile() throws {
    let (desk, path) = (desk, folder.path.appending("file"))
    try folder.write([UInt8](repeating: 65, count: 3 * Self.pieceByteCount), to: "file")
    try served.onLoop { server in
      guard let loop = server.value?.core.loop else { return }
      File.open(path, .readOnly, on: loop) { desk.value.file = try? $0.get() }
    }
    try served.waitUntil("the file") { _ in desk.value.file != nil }
  }

  /// - Returns: The failures.
  func run() throws -> [String] {
    try reachState()
    try end()
    let desk = desk
    if !ending.endsLoop {
      try served.waitUntil("all callbacks ran: \(desk.value.calls)") { _ in desk.value.isSettled }
      client?.vanish()
      try served.waitUntil("the connections are gone") { server in
        server.value?.connectionCount ?? 0 == 0
      }
      // Gives a second run of a callback time to happen.
      try served.settle()
      try served.onLoop { _ in desk.value.letGo() }
      try bodies.close(served)
      try served.stop()
    }
    client = nil
    desk.value.letGo()
    return complaints()
  }

  private func reachState() throws {
    let client = try Client(to: served, receiveBufferByteCount: 65_536)
    self.client = client
    try client.send(state.requestText)
    let (desk, state) = (desk, state)
    // The second response does not begin before the first one is sent.
    let count = state == .pipelined ? 1 : state.requestCount
    try served.waitUntil("\(state)") { _ in
      desk.value.requestCount >= count
        && (state.reading == nil || desk.value.requests.last?.body.receivedByteCount == 5)
    }
    if state == .answered { _ = try client.readResponse() }
    if state == .pieceSent { _ = try client.read(through: "x\r\n") }
    try served.settle()
  }

  private func end() throws {
    let desk = desk
    switch ending {
    case .clientEndsItsSide: client?.finishSending()
    case .clientCloses: client = nil
    case .clientResets: client?.vanish()
    case .responseIsCut:
      try served.onLoop { _ in for writer in desk.value.writers { writer.cut() } }
    case .writerIsDropped: try served.onLoop { _ in desk.value.writers = [] }
    case .serverShutsDown:
      try served.onLoop { $0.value?.shutDown(desk.value.promise("shut down")) }
      if !state.restText.isEmpty { try client?.send(state.restText) }
    case .serverIsDropped:
      try served.onLoop {
        desk.value.serverIsGone()
        $0.value = nil
      }
    case .loopIsClosed: return try served.stop(closing: true)
    case .loopIsDropped: return try served.stop()
    }
    // The loop processes it before the handler continues.
    try served.settle()
    if ending == .responseIsCut || ending == .writerIsDropped {
      // It takes the written bytes, and no more follow.
      client?.finishSending()
      _ = try? client?.readToEnd()
    }
    guard ending.needsResponse else { return }
    try served.onLoop { _ in desk.value.respond() }
    while let client, ending != .clientCloses {
      // It takes the available bytes and the next response, until the server closes.
      let rest = try? client.readToEnd()
      try served.onLoop { _ in desk.value.respond() }
      if rest?.isEmpty ?? true { break }
    }
  }

  private func complaints() -> [String] {
    var found: [String] = []
    let desk = desk.value
    for (name, calls) in desk.calls.sorted(by: { $0.key < $1.key }) {
      let isEnough = calls.made == calls.due || ending == .loopIsDropped && calls.made < calls.due
      if name != "connection lost", !isEnough {
        found.append("\(name): \(calls.made) calls, and \(calls.due) were due")
      }
    }
    let lost = desk.outcomes.filter { !$0.isComplete }.count
    let told = desk.calls["connection lost"]?.made ?? 0
    // A handler that cuts gets no report.
    let isOwn = ending == .responseIsCut || ending == .writerIsDropped
    if !isOwn, told != lost {
      found.append("\(lost) responses were lost, and \(told) handlers were notified")
    }
    if isOwn, told > lost { found.append("a loss was reported without a lost response") }
    if desk.lastRequest != nil { found.append("the request is left") }
    if desk.lastWriter != nil { found.append("the writer is left") }
    return found
  }
}

extension HTTPCell.Desk {
  fileprivate func handle(
    _ request: HTTPServer.Request, _ writer: HTTPServer.ResponseWriter, _ state: HTTPState,
    _ bodies: BodyFile
  ) {
    requestCount += 1
    requests.append(request)
    writers.append(writer)
    (lastRequest, lastWriter) = (request, writer)
    let ended = promise("end")
    writer.onEnd { outcome in
      ended()
      self.outcomes.append(outcome)
    }
    writer.onConnectionLost(promise("connection lost"))
    _ = promise("response end")
    begin(writer, state)
    guard let reading = state.reading else { return }
    let told = promise("reader")
    BodyReader(request.body, place: bodies.place(0)) { [weak writer] report in
      told()
      if let writer, !writer.isStarted { writer.send(report.failure?.status ?? .ok) }
    }.read(reading)
  }

  private func begin(_ writer: HTTPServer.ResponseWriter, _ state: HTTPState) {
    switch state {
    case .answered: writer.send(.ok)
    case .responseBegun: start(writer)
    case .pieceSent:
      start(writer)
      write(1, writer)
    case .piecesUnsent, .bodyAndPiecesUnsent: writePieces(writer)
    case .wholeUnsent, .pipelined:
      writePieces(writer)
      end(writer)
    case .fileUnsent:
      guard let file else { return }
      start(writer)
      for number in 0..<3 {
        let start = Int64(number * HTTPCell.pieceByteCount)
        let told = promise("range")
        writer.write(file, start..<start + Int64(HTTPCell.pieceByteCount)) { _ in told() }
      }
    default: break
    }
  }

  private func writePieces(_ writer: HTTPServer.ResponseWriter) {
    start(writer)
    for _ in 1...3 { write(HTTPCell.pieceByteCount, writer) }
  }

  private func write(_ byteCount: Int, _ writer: HTTPServer.ResponseWriter) {
    let told = promise("piece")
    writer.write(IOBuffer(copying: [UInt8](repeating: UInt8(ascii: "x"), count: byteCount))) {
      _, _ in told()
    }
  }

  private func start(_ writer: HTTPServer.ResponseWriter) {
    writer.start(.ok, contentLength: nil)
    streaming.insert(ObjectIdentifier(writer))
  }

  private func end(_ writer: HTTPServer.ResponseWriter) {
    if streaming.remove(ObjectIdentifier(writer)) != nil { writer.end() }
  }

  /// Finishes the responses. A handler that reads a body responds when the body ends.
  fileprivate func respond() {
    let isReading = calls["reader"] != nil
    for writer in writers {
      if writer.isStarted { end(writer) } else if !isReading { writer.send(.ok) }
    }
  }

  fileprivate func letGo() {
    (writers, requests, file) = ([], [], nil)
  }
}
