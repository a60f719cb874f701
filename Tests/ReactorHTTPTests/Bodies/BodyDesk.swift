import Dispatch
import Synchronization

@testable import ReactorHTTP

/// A server that reads the bodies of its requests in one way and records every callback of its
/// handlers. Each request has its own target.
final class BodyDesk: Sendable {
  struct Entry: Sendable {
    var reports: [BodyReport] = []
    var outcomes: [HTTPServer.ResponseWriter.Outcome] = []
    var endCount = 0
    var lossCount = 0

    /// Whether the response was complete, as reported.
    var isSent: Bool { outcomes.first?.isComplete == true }
  }

  static let spaceOfBody: Int64 = 1 << 20

  let served: ServedLoop
  let way: BodyReading
  private let file: BodyFile
  private let book: Book

  private final class Book: Sendable {
    let entries = Mutex<[String: Entry]>([:])
    let news = DispatchSemaphore(value: 0)

    func note(_ target: String, _ change: (inout Entry) -> Void) {
      entries.withLock { change(&$0[target, default: Entry()]) }
      news.signal()
    }
  }

  init(_ way: BodyReading, _ configuration: HTTPServer.Configuration = .init()) throws {
    self.way = way
    let file = try BodyFile()
    let book = Book()
    served = try ServedLoop(configuration) { request, writer in
      let target = request.target
      writer.onEnd { outcome in book.note(target) { $0.outcomes.append(outcome) } }
      writer.onConnectionLost {
        book.entries.withLock { $0[target, default: Entry()].lossCount += 1 }
      }
      let number = Int64(target.dropFirst()) ?? 0
      let place = file.place(number * Self.spaceOfBody)
      BodyReader(request.body, place: place) { report in
        book.note(target) { $0.reports.append(report) }
        Self.respond(writer, report)
      }.read(way)
    }
    self.file = file
    self.book = book
    try served.onLoop { server in
      server.value?.onResponseEnd = { record in
        book.note(record.request?.target ?? "none") { $0.endCount += 1 }
      }
    }
    try file.open(served)
  }

  private static func respond(_ writer: HTTPServer.ResponseWriter, _ report: BodyReport) {
    guard !writer.isStarted else { return }
    writer.send(report.failure?.status ?? .ok, body: "\(report.content.count)".utf8)
  }

  var entries: [String: Entry] { book.entries.withLock { $0 } }

  /// Waits until every callback of a request has run: its body, its end, and the report to the
  /// server.
  func entry(_ target: String) throws -> Entry {
    while true {
      if let entry = book.entries.withLock({ $0[target] }), !entry.reports.isEmpty,
        !entry.outcomes.isEmpty, entry.endCount > 0
      {
        return entry
      }
      try book.news.waitOrFail("the end of \(target)")
    }
  }

  /// Waits until no connection is left, and stops the server.
  func end() throws {
    try served.waitUntil("the connections are gone") {
      $0.value?.connectionCount == 0 && $0.value?.responsesInProgress == 0
    }
    try file.close(served)
    try served.stop()
  }
}
