import Glibc
import PosixAIO
import Reactor
import SystemPackage
import TestSupport

@testable import ReactorHTTP

/// A server that responds with parts of a file, and records their completions.
final class FileDesk: @unchecked Sendable {
  /// A part of a response.
  enum Part: Sendable {
    case text(String)
    case range(Range<Int>)

    var byteCount: Int {
      switch self {
      case .text(let text): text.utf8.count
      case .range(let range): range.count
      }
    }
  }

  /// How to respond to a request.
  struct Plan: Sendable {
    var status = HTTPStatus.ok
    var parts: [Part] = []
    var hasLength = true
    /// Whether the file is closed after the last write.
    var closesFile = false

    var byteCount: Int { parts.reduce(0) { $0 + $1.byteCount } }
  }

  static let bytes = Pattern.block(7, byteCount: 3_000_000)

  let folder: TemporaryFolder
  let path: FilePath
  let served: ServedLoop
  // The following members belong to the loop.
  private let state: State

  private final class State {
    var plan = Plan()
    var file: File?
    var results: [Result<Int64, PumpError>] = []
    var deliveries: [HTTPServer.ResponseWriter.Delivery] = []
    var outcomes: [HTTPServer.ResponseWriter.Outcome] = []
    var closeCount = 0

    func respond(_ request: HTTPServer.Request, _ writer: HTTPServer.ResponseWriter) {
      guard let file else { return }
      writer.onEnd { self.outcomes.append($0) }
      var plan = plan
      // A pipelined request names its response.
      if let query = request.query, let start = Int(query) {
        plan.parts = [.text("\(start):"), .range(start..<start + 20_000 + start % 3 * 100_000)]
      }
      writer.start(
        plan.status, contentLength: plan.hasLength ? Int64(plan.byteCount) : nil)
      for part in plan.parts {
        switch part {
        case .text(let text):
          writer.write(IOBuffer(copying: text.utf8)) { delivery, _ in
            self.deliveries.append(delivery)
          }
        case .range(let range):
          writer.write(file, Int64(range.lowerBound)..<Int64(range.upperBound)) {
            self.results.append($0)
          }
        }
      }
      writer.end()
      if plan.closesFile { file.close { _ in self.closeCount += 1 } }
    }
  }

  init(_ plan: Plan = Plan()) throws {
    let folder = try TemporaryFolder()
    self.folder = folder
    path = folder.path.appending("file")
    try folder.write(Self.bytes, to: "file")
    let state = OnLoop(State())
    state.value.plan = plan
    self.state = state.value
    served = try ServedLoop { state.value.respond($0, $1) }
    try open()
  }

  private func open() throws {
    try served.onLoop { server in
      guard let loop = server.value?.core.loop else { return }
      File.open(self.path, .readOnly, on: loop) { self.state.file = try? $0.get() }
    }
    try served.waitUntil("the file") { _ in self.state.file != nil }
  }

  func closeFile() throws {
    try served.onLoop { _ in self.state.file?.close { _ in self.state.closeCount += 1 } }
    try served.waitUntil("the file is closed") { _ in self.state.closeCount == 1 }
  }

  /// Call it on the loop.
  var isClosed: Bool { state.closeCount == 1 }

  func truncate(to byteCount: Int) throws {
    guard unsafe Glibc.truncate(path.string, byteCount) == 0 else { throw Errno(rawValue: errno) }
  }

  /// The results, once the given number of responses and all their parts have completed.
  func told(
    responses: Int = 1, ranges: Int, texts: Int = 0
  ) throws -> (
    results: [Result<Int64, PumpError>], deliveries: [HTTPServer.ResponseWriter.Delivery],
    outcomes: [HTTPServer.ResponseWriter.Outcome], closeCount: Int
  ) {
    try served.waitUntil("every completion ran") { _ in
      self.state.outcomes.count >= responses && self.state.results.count >= ranges
        && self.state.deliveries.count >= texts
    }
    // Gives a second run of a completion time to happen.
    try served.settle()
    let state = OnLoop(state)
    return try served.onLoop { _ in
      let state = state.value
      return (state.results, state.deliveries, state.outcomes, state.closeCount)
    }
  }

  func end() throws {
    try served.waitUntil("the connections are gone") { $0.value?.connectionCount == 0 }
    try served.onLoop { _ in self.state.file = nil }
    try served.stop()
  }
}
