import PosixAIO
import Reactor
import SystemPackage
import TestSupport

@testable import ReactorHTTP

/// A handler that does anything that it may in each of its callbacks, as a seed says.
final class ReentryDesk {
  /// How often something was asked for, and how often it was told.
  private(set) var due: [String: Int] = [:]
  private(set) var made: [String: Int] = [:]
  private var random: SeededGenerator
  /// The bytes of which all bodies consist, from their start.
  let bytes: [UInt8]
  let file: File
  let target: File
  var server: () -> HTTPServer?
  var dropServer: () -> Void
  private var open: [ObjectIdentifier: Answer] = [:]
  private(set) var hasDroppedServer = false
  private(set) var shutDownCount = 0
  private var isFileClosed = false
  /// How much of what ends something is done: of a hundred callbacks.
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
  final class Answer {
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
    for answer in open.values { answer.pump = nil }
    open = [:]
  }

  // MARK: - Callbacks

  func handle(_ request: HTTPServer.Request, _ writer: HTTPServer.ResponseWriter) {
    let answer = Answer(request, writer)
    open[ObjectIdentifier(answer)] = answer
    let ended = promise("end")
    writer.onEnd { _ in
      ended()
      answer.pump = nil
      self.open[ObjectIdentifier(answer)] = nil
      self.act(nil)
    }
    writer.onConnectionLost { self.act(nil) }
    act(answer)
    if roll(10) > 0 { act(answer) }
    core.callNextTurn { self.act(answer) }
  }

  private let core: LoopCore

  /// Does a few things, to a response or to another one.
  private func act(_ answer: Answer?) {
    if roll(100) < rage { end() }
    for _ in 0...roll(3) {
      let other = open.values.randomElement(using: &random)
      guard let answer = roll(8) > 0 ? answer ?? other : other else { continue }
      switch roll(10) {
      case 0...2: read(answer)
      case 3: touch(answer)
      default: respond(answer)
      }
    }
    // What is left is done some time, or the connection would wait for ever.
    if let answer, !isDone(answer) { core.callNextTurn { self.respond(answer) } }
  }

  private func isDone(_ answer: Answer) -> Bool {
    if case .done = answer.state { true } else { false }
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

  private func touch(_ answer: Answer) {
    guard let writer = answer.writer else { return }
    switch roll(6) {
    case 0:
      // Not after the cut: that ends in a trap.
      answer.state = .done
      writer.cut()
      writer.cut()
    case 1:
      answer.state = .done
      answer.writer = nil
    case 2: writer.onConnectionLost { self.act(nil) }
    case 3: answer.pump?.cancel()
    case 4: _ = (writer.isStarted, writer.isConnectionLost, answer.request.body.isComplete)
    default: break
    }
  }

  // MARK: - Bodies

  private func read(_ answer: Answer) {
    guard !answer.isReading else { return }
    answer.isReading = true
    switch roll(3) {
    case 0:
      let told = promise("next")
      answer.request.body.next { _ in
        told()
        answer.isReading = false
        self.act(answer)
      }
    case 1:
      let told = promise("all")
      answer.request.body.readAll(upTo: [0, 10, 100_000, 10_000_000][roll(4)]) { _ in
        told()
        answer.isReading = false
        self.act(answer)
      }
    default:
      let told = promise("pump")
      answer.pump = answer.request.body.write(to: target, at: Int64(roll(1000))) { _ in
        told()
        answer.isReading = false
        self.act(answer)
      }
    }
  }

  // MARK: - Responses

  private func respond(_ answer: Answer) {
    guard let writer = answer.writer else { return }
    switch answer.state {
    case .done: return
    case .waiting:
      let length = [0, 1, 500, 20_000, 400_000][roll(5)]
      if roll(2) == 0 {
        answer.state = .done
        writer.send(
          .ok, headers: roll(9) == 0 ? ["Connection": "close"] : [:], body: bytes[..<length])
      } else {
        let isKnown = roll(2) == 0
        answer.state = .streaming(left: isKnown ? length : nil)
        writer.start(
          roll(9) == 0 ? .notModified : .ok, contentLength: isKnown ? Int64(length) : nil)
        core.callNextTurn { self.respond(answer) }
      }
    case .streaming(let left):
      if left == 0 || left == nil && roll(4) == 0 || roll(40) == 0 {
        answer.state = .done
        return writer.end()
      }
      write(answer, writer, left)
      if roll(2) == 0 { core.callNextTurn { self.respond(answer) } }
    }
  }

  private func write(_ answer: Answer, _ writer: HTTPServer.ResponseWriter, _ left: Int?) {
    let byteCount = min(
      [0, 1, 100, 5000, 70_000, 300_000][roll(6)], left ?? 1_000_000,
      bytes.count - answer.offset)
    let range = answer.offset..<answer.offset + byteCount
    answer.offset += byteCount
    if let left { answer.state = .streaming(left: left - byteCount) }
    let isRange = roll(2) == 0
    let told = promise(isRange ? "range" : "buffer")
    if isRange {
      writer.write(file, Int64(range.lowerBound)..<Int64(range.upperBound)) { _ in
        told()
        self.act(answer)
      }
    } else {
      writer.write(IOBuffer(copying: bytes[range])) { _, _ in
        told()
        self.act(answer)
      }
    }
  }
}
