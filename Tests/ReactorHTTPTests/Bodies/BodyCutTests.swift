import Reactor
import SystemPackage
import TestSupport
import Testing

@testable import ReactorHTTP

/// Bodies in every framing, read in every way, and cut at every byte: the result of a handler does
/// not depend on how the bytes arrived.
@Suite struct BodyCutTests {
  @Test(arguments: SentBody.all, BodyReading.allCases)
  func theHandlerGetsTheSame_whereverTheClientPauses(sent: SentBody, way: BodyReading) throws {
    let desk = try BodyDesk(way)
    let client = try Client(to: desk.served)
    client.sendPiecesAtOnce()
    for cut in desk.cuts(of: sent) {
      let (target, bytes) = desk.request(sent, cut)
      try client.send(Array(bytes[..<cut]))
      try desk.served.settle()
      try client.send(Array(bytes[cut...]))
      let response = try client.readResponse()
      #expect(response.code == 200)
      #expect(response["Connection"] == nil)
      let entry = try desk.entry(target)
      desk.expectWhole(entry, sent, "cut at \(cut)")
      #expect(entry.isSent)
      if way.isWhole { #expect(response.text == "\(sent.content.count)") }
    }
    client.vanish()
    try desk.end()
    desk.expectEachReportedOnce(desk.cuts(of: sent).count)
  }

  @Test(arguments: SentBody.all, BodyReading.allCases)
  func theHandlerGetsWhatCame_whereverTheClientEndsItsSide(sent: SentBody, way: BodyReading) throws
  {
    let desk = try BodyDesk(way)
    var requestCount = 0
    for cut in desk.cuts(of: sent) {
      let (target, bytes) = desk.request(sent, cut)
      let client = try Client(to: desk.served)
      try client.send(Array(bytes[..<cut]))
      client.finishSending()
      guard let body = desk.bodyByteCount(cut, sent) else {
        #expect(try client.readToEnd() == [], "cut at \(cut)")
        continue
      }
      requestCount += 1
      let response = try client.readResponse()
      #expect(try client.readToEnd() == [])
      let entry = try desk.entry(target)
      #expect(entry.isSent)
      guard body < sent.bytes.count else {
        #expect(response.code == 200)
        desk.expectWhole(entry, sent, "cut at \(cut)")
        continue
      }
      #expect(response.code == (entry.reports.first?.failure == nil ? 200 : 400))
      desk.expectCut(entry, sent.content(inFirst: body), .endOfInput, "cut at \(cut)")
    }
    try desk.end()
    desk.expectEachReportedOnce(requestCount)
  }

  @Test(arguments: SentBody.all, BodyReading.allCases)
  func theHandlerIsNotifiedOnce_whereverTheClientVanishes(sent: SentBody, way: BodyReading) throws {
    let desk = try BodyDesk(way)
    var requestCount = 0
    for cut in desk.cuts(of: sent) {
      let (target, bytes) = desk.request(sent, cut)
      let client = try Client(to: desk.served)
      try client.send(Array(bytes[..<cut]))
      // When the reset arrives, the kernel drops its received bytes.
      try desk.served.settle()
      client.vanish()
      guard let body = desk.bodyByteCount(cut, sent) else { continue }
      requestCount += 1
      let entry = try desk.entry(target)
      // The whole body has arrived, but may not have been requested yet.
      if body == sent.bytes.count, entry.reports.first?.failure == nil {
        desk.expectWhole(entry, sent, "cut at \(cut)")
      } else {
        desk.expectCut(
          entry, sent.content(inFirst: body), .failed(.connectionReset), "cut at \(cut)")
      }
    }
    try desk.end()
    desk.expectEachReportedOnce(requestCount)
  }

  @Test(arguments: BodyReading.allCases)
  func aLargeBodyArrivesWhole_inWhateverPiecesItComes(way: BodyReading) throws {
    var configuration = HTTPServer.Configuration()
    configuration.headByteLimit = 4096
    configuration.inputByteCount = 4096
    let desk = try BodyDesk(way, configuration)
    let seed = testSeed()
    var random = SeededGenerator(seed: seed)
    let client = try Client(to: desk.served)
    client.sendPiecesAtOnce()
    let content = Pattern.block(1, byteCount: 200_000)
    for number in 1...12 {
      let (fields, body) = Self.framed(content, number, &random)
      try client.send("PUT /\(number) HTTP/1.1\r\nHost: x\r\n\(fields)\r\n\r\n")
      var sent = 0
      while sent < body.count {
        let end = min(body.count, sent + Int.random(in: 1...60_000, using: &random))
        try client.send(Array(body[sent..<end]))
        if random.oneIn(3) { try desk.served.settle() }
        sent = end
      }
      #expect(try client.readResponse().code == 200, "seed \(seed)")
      let entry = try desk.entry("/\(number)")
      #expect(entry.reports.count == 1)
      #expect(entry.reports.first?.failure == nil, "seed \(seed)")
      let got = entry.reports.first?.content ?? []
      #expect(got == (way.isWhole ? content : Array(content[..<got.count])), "seed \(seed)")
    }
    client.vanish()
    try desk.end()
    desk.expectEachReportedOnce(12)
  }

  /// By its length, or in chunks of about the same size.
  private static func framed(
    _ content: [UInt8], _ number: Int, _ random: inout SeededGenerator
  ) -> (fields: String, body: [UInt8]) {
    guard !number.isMultiple(of: 3) else { return ("Content-Length: \(content.count)", content) }
    let most = [1, 100, 10_000, 100_000][number % 4] * 2
    // A chunk of one byte uses six bytes, so this body is not sent completely.
    var (body, done): ([UInt8], Int) = ([], 0)
    while done < content.count {
      let isTail = most < 100 && done > 2000
      let end = min(
        content.count, done + (isTail ? content.count : .random(in: 1...most, using: &random)))
      body += Array("\(String(end - done, radix: 16))\r\n".utf8) + content[done..<end] + [13, 10]
      done = end
    }
    return ("Transfer-Encoding: chunked", body + Array("0\r\n\r\n".utf8))
  }
}

extension BodyDesk {
  /// The positions at which a request is cut. Its head does not depend on how the body is read.
  fileprivate func cuts(of sent: SentBody) -> ClosedRange<Int> {
    let (headByteCount, end) = (sent.head("/100").count, sent.head("/100").count + sent.bytes.count)
    return (way == .next ? 0 : headByteCount - 2)...end
  }

  fileprivate func request(_ sent: SentBody, _ cut: Int) -> (target: String, bytes: [UInt8]) {
    let target = "/\(100 + cut)"
    return (target, sent.head(target) + sent.bytes)
  }

  /// The number of bytes of the body that were sent; nil if the head was incomplete.
  fileprivate func bodyByteCount(_ cut: Int, _ sent: SentBody) -> Int? {
    let count = cut - sent.head("/100").count
    return count < 0 ? nil : count
  }

  fileprivate func expectWhole(_ entry: Entry, _ sent: SentBody, _ comment: Comment) {
    #expect(entry.reports.count == 1, comment)
    guard let report = entry.reports.first else { return }
    #expect(report.failure == nil, comment)
    switch way {
    case .unread: break
    case .partly:
      #expect(sent.content.starts(with: report.content), comment)
      #expect(report.content.isEmpty == sent.content.isEmpty, comment)
    default:
      #expect(report.content == sent.content, comment)
      #expect(report.trailer == sent.trailer, comment)
    }
  }

  /// - Parameter content: The part of the content that was sent.
  fileprivate func expectCut(
    _ entry: Entry, _ content: [UInt8], _ reason: Connection.CloseReason, _ comment: Comment
  ) {
    #expect(entry.reports.count == 1, comment)
    guard let report = entry.reports.first else { return }
    #expect(content.starts(with: report.content), comment)
    if way == .unread || way == .partly && !report.content.isEmpty {
      return #expect(report.failure == nil, comment)
    }
    #expect(report.failure == .connectionClosed(reason), comment)
    // Received bytes are lost when the connection breaks, but not when it ends.
    if reason == .endOfInput, way.keepsWhatCame {
      #expect(report.content == content, comment)
    }
  }

  fileprivate func expectEachReportedOnce(_ requestCount: Int) {
    let entries = entries
    #expect(entries.count == requestCount)
    for (target, entry) in entries {
      #expect(entry.reports.count == 1, "\(target)")
      #expect(entry.outcomes.count == 1, "\(target)")
      #expect(entry.endCount == 1, "\(target)")
      #expect(entry.lossCount == (entry.outcomes.first?.isComplete == true ? 0 : 1), "\(target)")
    }
  }
}
