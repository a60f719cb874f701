import PosixAIO
import Reactor
import SystemPackage
import TestSupport

@testable import ReactorHTTP

/// A handler that makes any allowed call in each of its callbacks, chosen by a seed.
final class ReentryDesk {
  /// The number of calls that were requested, and of those that were made.
  private(set) var due: [String: Int] = [:]
  private(set) var made: [String: Int] = [:]
  private var random: SeededGenerator
  /// The bytes that all bodies are a prefix of.
  let bytes: [UInt8]
  let file: File
  let target: File
  var server: () -> HTTPServer?
  var dropServer: () -> Void
  private var open: [ObjectIdentifier: Response] = [:]
  private(set) var hasDroppedServer = false
  private(set) var shutDownCount = 0
  private var isFileClosed = false
  /// The percentage of callbacks that perform actions which end something.
  var rage = 3

  init(
    seed: UInt64, bytes: [UInt8], _ core: LoopCore, _ file: File, _ target: File,
    server: @escaping () -> HTTPServer?, dropServer: @escaping () -> Void
  ) {
    random = SeededGenerator(seed: seed)
    self.bytes = bytes
    self.core = core
    self.file = file
    self.target = target
    self.server = server
    self.dropServer = dropServer
  }

  /// A response that has not ended.
  final class Response {
    enum State { case waiting, streaming(left: Int?), done }
    var writer: HTTPServer.ResponseWriter?
    let request: HTTPServer.Request
    var state = State.waiting
    var offset = 0
    var isReading = false
    var pump: Pump?

    init(_ request: HTTPServer.Request, _ writer: HTTPServer.ResponseWriter) {
      (self.request, self.writer) = (request, writer)
    }
  }

  func promise(_ name: String) -> () -> Void {
    due[name, default: 0] += 1
    return { self.made[name, default: 0] += 1 }
  }

  var complaints: [String] {
    due.keys.filter { due[$0] != made[$0, default: 0] }
      .map { "\($0): due \(due[$0] ?? 0), made \(made[$0] ?? 0)" }
  }

  private func roll(_ count: Int) -> Int { Int.random(in: 0..<count, using: &random) }

  func letGo() {
    for response in open.values { response.pump = nil }
    open = [:]
  }

  // MARK: - Callbacks

  func handle(_ request: HTTPServer.Request, _ writer: HTTPServer.ResponseWriter) {
    let response = Response(request, writer)
    open[ObjectIdentifier(response)] = response
    let ended = promise("end")
    writer.onEnd { _ in
      ended()
      response.pump = nil
      self.open[ObjectIdentifier(response)] = nil
      self.act(nil)
    }
    writer.onConnectionLost { self.act(nil) }
    act(response)
    if roll(10) > 0 { act(response) }
    core.later { self.act(response) }
  }

  private let core: LoopCore

  /// Performs a few actions on a response or on another one.
  private func act(_ response: Response?) {
    if roll(100) < rage { end() }
    for _ in 0...roll(3) {
      let other = open.values.randomElement(using: &random)
      guard let response = roll(8) > 0 ? response ?? other : other else { continue }
      switch roll(10) {
      case 0...2: read(response)
      case 3: touch(response)
      default: respond(response)
      }
    }
    // The rest must be done at some time, or the connection would wait forever.
    if let response, !isDone(response) { core.later { self.respond(response) } }
  }

  private func isDone(_ response: Response) -> Bool {
    if case .done = response.state { true } else { false }
  }

  private func end() {
    guard let server = server() else { return }
    switch roll(4) {
    case 0:
      hasDroppedServer = true
      dropServer()
    case 1:
      shutDownCount += 1
      let told = promise("shut down")
      server.shutDown {
        told()
        self.act(nil)
      }
    case 2: server.stopAccepting()
    default:
      guard roll(10) == 0, !isFileClosed else { return }
      isFileClosed = true
      file.close()
    }
  }

  private func touch(_ response: Response) {
    guard let writer = response.writer else { return }
    switch roll(6) {
    case 0:
      // Not after the cut, which would trap.
      response.state = .done
      writer.cut()
      writer.cut()
    case 1:
      response.state = .done
      response.writer = nil
    case 2: writer.onConnectionLost { self.act(nil) }
    case 3: response.pump?.cancel()
    case 4: _ = (writer.isStarted, writer.isConnectionLost, response.request.body.isComplete)
    default: break
    }
  }

  // MARK: - Bodies

  private func read(_ response: Response) {
    guard !response.isReading else { return }
    response.isReading = true
    switch roll(3) {
    case 0:
      let told = promise("next")
      response.request.body.next { _ in
        told()
        response.isReading = false
        self.act(response)
      }
    case 1:
      let told = promise("all")
      response.request.body.readAll(upTo: [0, 10, 100_000, 10_000_000][roll(4)]) { _ in
        told()
        response.isReading = false
        self.act(response)
      }
    default:
      let told = promise("pump")
      response.pump = response.request.body.write(to: target, at: Int64(roll(1000))) { _ in
        told()
        response.isReading = false
        self.act(response)
      }
    }
  }

  // MARK: - Responses

  private func respond(_ response: Response) {
    guard let writer = response.writer else { return }
    switch response.state {
    case .done: return
    case .waiting:
      let length = [0, 1, 500, 20_000, 400_000][roll(5)]
      if roll(2) == 0 {
        response.state = .done
        writer.send(
          .ok, headers: roll(9) == 0 ? ["Connection": "close"] : [:], body: bytes[..<length])
      } else {
        let isKnown = roll(2) == 0
        response.state = .streaming(left: isKnown ? length : nil)
        writer.start(
          roll(9) == 0 ? .notModified : .ok, contentLength: isKnown ? Int64(length) : nil)
        core.later { self.respond(response) }
      }
    case .streaming(let left):
      if left == 0 || left == nil && roll(4) == 0 || roll(40) == 0 {
        response.state = .done
        return writer.end()
      }
      write(response, writer, left)
      if roll(2) == 0 { core.later { self.respond(response) } }
    }
  }

  private func write(_ response: Response, _ writer: HTTPServer.ResponseWriter, _ left: Int?) {
    let byteCount = min(
      [0, 1, 100, 5000, 70_000, 300_000][roll(6)], left ?? 1_000_000,
      bytes.count - response.offset)
    let range = response.offset..<response.offset + byteCount
    response.offset += byteCount
    if let left { response.state = .streaming(left: left - byteCount) }
    let isRange = roll(2) == 0
    let told = promise(isRange ? "range" : "buffer")
    if isRange {
      writer.write(file, Int64(range.lowerBound)..<Int64(range.upperBound)) { _ in
        told()
        self.act(response)
      }
    } else {
      writer.write(IOBuffer(copying: bytes[range])) { _, _ in
        told()
        self.act(response)
      }
    }
  }
}
