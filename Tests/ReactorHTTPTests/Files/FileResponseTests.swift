import PosixAIO
import Reactor
import SystemPackage
import TestSupport
import Testing

@testable import ReactorHTTP

/// Responses with ranges of files in them.
@Suite struct FileResponseTests {
  private static let whole = FileDesk.Plan(parts: [.range(0..<FileDesk.bytes.count)])

  private static let mixed = FileDesk.Plan(
    parts: [
      .text("first "), .range(0..<100_000), .range(5..<5), .range(7..<8), .text(" and "),
      .text("then "), .range(1_234_567..<3_000_000), .range(0..<20_000), .text("."),
    ])

  private static func content(_ plan: FileDesk.Plan) -> [UInt8] {
    plan.parts.flatMap { part in
      switch part {
      case .text(let text): Array(text.utf8)
      case .range(let range): Array(FileDesk.bytes[range])
      }
    }
  }

  /// The completion of each range that was sent completely.
  private static func counts(_ plan: FileDesk.Plan) -> [Int64] {
    plan.parts.compactMap { part in
      if case .range(let range) = part { Int64(range.count) } else { nil }
    }
  }

  /// The ranges that were sent completely, in order. An empty one does not wait for earlier ones.
  private static func sent(_ results: some Sequence<Result<Int64, PumpError>>) -> [Int64] {
    let counts = results.compactMap { try? $0.get() }
    return counts.filter { $0 > 0 } + counts.filter { $0 == 0 }
  }

  private static func sent(_ plan: FileDesk.Plan) -> [Int64] {
    sent(counts(plan).map { .success($0) })
  }

  private static func textCount(_ plan: FileDesk.Plan) -> Int {
    plan.parts.count - counts(plan).count
  }

  @Test(arguments: [whole, mixed], [true, false])
  func everyByteArrives(plan: FileDesk.Plan, hasLength: Bool) throws {
    var plan = plan
    plan.hasLength = hasLength
    let desk = try FileDesk(plan)
    let client = try Client(to: desk.served)
    for count in 1...2 {
      let response = try client.get("/")
      #expect(response["Content-Length"] == (hasLength ? "\(plan.byteCount)" : nil))
      #expect(response["Transfer-Encoding"] == (hasLength ? nil : "chunked"))
      #expect(response.body == Self.content(plan))
      let ranges = Self.counts(plan).count
      let told = try desk.told(
        responses: count, ranges: count * ranges, texts: count * Self.textCount(plan))
      #expect(Self.sent(told.results.suffix(ranges)) == Self.sent(plan))
      #expect(told.outcomes.last?.bodyByteCount == Int64(plan.byteCount))
      #expect(told.outcomes.last?.isComplete == true)
    }
    client.vanish()
    try desk.end()
  }

  @Test(arguments: [whole, mixed], [true, false])
  func everyByteArrives_atAClientOfHTTP10(plan: FileDesk.Plan, hasLength: Bool) throws {
    var plan = plan
    plan.hasLength = hasLength
    let desk = try FileDesk(plan)
    let client = try Client(to: desk.served)
    try client.send("GET / HTTP/1.0\r\n\r\n")
    let head = try client.readHead()
    #expect(head["Transfer-Encoding"] == nil)
    #expect(try client.readToEnd() == Self.content(plan))
    client.vanish()
    try desk.end()
  }

  @Test(arguments: [("HEAD", HTTPStatus.ok), ("GET", .noContent), ("GET", .notModified)])
  func noByteIsSent_whereThereIsNoBody(method: String, status: HTTPStatus) throws {
    var plan = Self.mixed
    plan.status = status
    let desk = try FileDesk(plan)
    let client = try Client(to: desk.served)
    for _ in 1...2 {
      let response = try client.ask(method, "/")
      #expect(response.code == status.code)
      #expect(response["Content-Length"] == (method == "HEAD" ? "\(plan.byteCount)" : nil))
    }
    let told = try desk.told(
      responses: 2, ranges: 2 * Self.counts(plan).count, texts: 2 * Self.textCount(plan))
    #expect(told.results == (Self.counts(plan) + Self.counts(plan)).map { .success($0) })
    #expect(told.outcomes.map(\.bodyByteCount) == [0, 0])
    client.finishSending()
    #expect(try client.readToEnd() == [])
    try desk.end()
  }

  // An incomplete chunk tells a client of HTTP/1.1 as much as an incomplete length.
  @Test(arguments: [true, false])
  func theConnectionIsCut_whenTheFileBecomesShorterMeanwhile(hasLength: Bool) throws {
    var plan = FileDesk.Plan(parts: [.range(0..<3_000_000), .range(0..<10), .text("behind")])
    // More than the kernel accepts.
    plan.parts = Array(repeating: .range(0..<3_000_000), count: 8) + plan.parts
    plan.hasLength = hasLength
    let desk = try FileDesk(plan)
    let client = try Client(to: desk.served, receiveBufferByteCount: 16_384)
    try client.begin("GET", "/")
    _ = try client.read(through: "\r\n\r\n")
    try desk.truncate(to: 1000)
    let received = try client.skip(byteCount: .max)
    #expect(received < plan.byteCount)
    let ranges = Self.counts(plan).count
    let told = try desk.told(ranges: ranges, texts: 1)
    #expect(told.results.count == ranges)
    let failures = told.results.compactMap { result in
      if case .failure(let error) = result { error } else { nil }
    }
    #expect(failures.first?.reason == .endOfFile)
    // The ranges after it were never begun.
    for failure in failures.dropFirst() { #expect(failure.byteCountDone == 0) }
    #expect(told.deliveries == [.connectionLost])
    #expect(told.outcomes.map(\.isComplete) == [false])
    try desk.end()
  }

  @Test func aFileMayBeClosedRightAway_andIsClosedWhenItWasSent() throws {
    var plan = Self.mixed
    plan.closesFile = true
    let desk = try FileDesk(plan)
    let client = try Client(to: desk.served, receiveBufferByteCount: 16_384)
    #expect(try client.get("/").body == Self.content(plan))
    let told = try desk.told(ranges: Self.counts(plan).count, texts: Self.textCount(plan))
    #expect(Self.sent(told.results) == Self.sent(plan))
    try desk.served.waitUntil("the file is closed") { _ in desk.isClosed }
    client.vanish()
    try desk.end()
  }

  @Test func aFileThatIsClosedAlreadyCutsTheConnection_andIsReported() throws {
    let desk = try FileDesk(FileDesk.Plan(parts: [.text("x"), .range(0..<100), .text("y")]))
    try desk.closeFile()
    let client = try Client(to: desk.served)
    try client.begin("GET", "/")
    let rest = try client.skip(byteCount: .max)
    #expect(rest < 1000)
    let told = try desk.told(ranges: 1, texts: 2)
    #expect(told.results.count == 1)
    #expect(throws: PumpError.self) { try told.results[0].get() }
    #expect(told.deliveries.count == 2)
    #expect(told.outcomes.map(\.isComplete) == [false])
    try desk.end()
  }

  @Test func aSlowClientGetsEveryByte() throws {
    let desk = try FileDesk(Self.mixed)
    let client = try Client(to: desk.served, receiveBufferByteCount: 4096)
    try client.begin("GET", "/")
    let length = try client.readHead().contentLength
    var received: [UInt8] = []
    while received.count < length {
      received += try client.read(byteCount: min(50_000, length - received.count))
      try desk.served.settle()
    }
    #expect(received == Self.content(Self.mixed))
    client.vanish()
    try desk.end()
  }

  @Test(arguments: [true, false])
  func aClientThatGoesInTheMiddleCompletesEveryRangeOnce(isReset: Bool) throws {
    let plan = FileDesk.Plan(parts: Array(repeating: .range(0..<3_000_000), count: 10))
    let desk = try FileDesk(plan)
    var client: Client? = try Client(to: desk.served, receiveBufferByteCount: 16_384)
    try client?.begin("GET", "/")
    _ = try client?.read(byteCount: 1_000_000)
    if isReset { client?.vanish() }
    client = nil
    let told = try desk.told(ranges: 10)
    #expect(told.results.count == 10)
    let sent = told.results.prefix { $0 == .success(3_000_000) }.count
    #expect(sent < 10)
    for result in told.results.dropFirst(sent) {
      guard case .failure(let error) = result, case .connection = error.reason else {
        Issue.record("\(result)")
        continue
      }
    }
    #expect(told.outcomes.map(\.isComplete) == [false])
    try desk.end()
  }

  @Test func responsesToRequestsInOneGoComeInOrder() throws {
    let desk = try FileDesk()
    let client = try Client(to: desk.served)
    let starts = (0..<60).map { $0 * 40_001 }
    try client.send(
      starts.map { "GET /?\($0) HTTP/1.1\r\nHost: x\r\n\r\n" }.joined())
    for start in starts {
      let end = start + 20_000 + start % 3 * 100_000
      let response = try client.readResponse()
      #expect(response.body == Array("\(start):".utf8) + FileDesk.bytes[start..<end])
    }
    let told = try desk.told(responses: 60, ranges: 60, texts: 60)
    #expect(told.results.count == 60)
    client.vanish()
    try desk.end()
  }
}
