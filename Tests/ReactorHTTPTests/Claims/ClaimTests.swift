import Glibc
import PosixAIO
import Reactor
import SystemPackage
import TestSupport
import Testing

@testable import ReactorHTTP

/// Claims of the documentation.
@Suite struct ClaimTests {
  /// Empty pieces, whose completions run.
  enum Nothing: CaseIterable { case buffer, range }

  @Test(arguments: Nothing.allCases)
  func aPieceWithoutBytesIsReportedAfterThoseBeforeIt(nothing: Nothing) throws {
    let folder = try TemporaryDirectory()
    try folder.write([1], to: "file")
    let path = folder.path.appending("file")
    let core = OnLoop<LoopCore?>(nil)
    let told = OnLoop<[String]>([])
    let served = try ServedLoop { _, writer in
      guard let loop = core.value?.loop else { return }
      File.open(path, .readOnly, on: loop) { result in
        guard let file = try? result.get() else { return }
        writer.start(.ok, contentLength: 32 << 20)
        writer.write(IOBuffer(copying: [UInt8](repeating: 1, count: 32 << 20))) { _, _ in
          told.value.append("long")
        }
        switch nothing {
        case .buffer:
          writer.write(IOBuffer(copying: [])) { _, _ in told.value.append("empty") }
        case .range: writer.write(file, 0..<0) { _ in told.value.append("empty") }
        }
        writer.end()
      }
    }
    try served.onLoop { core.value = $0.value?.core }
    let client = try Client(to: served, receiveBufferByteCount: 4096)
    try client.begin("GET", "/")
    #expect(try client.readHead().code == 200)
    for _ in 0..<10 { try served.settle() }
    // The client has not read the bytes before it.
    #expect(try served.onLoop { _ in told.value } == [])
    #expect(try client.skip(byteCount: 32 << 20) == 32 << 20)
    try served.waitUntil("both") { _ in told.value.count == 2 }
    #expect(try served.onLoop { _ in told.value } == ["long", "empty"])
    try served.onLoop { _ in core.value = nil }
    try served.stop()
  }

  @Test(arguments: ["keep-alive", "Keep-Alive, x"])
  func aHandlersKeepAliveDoesNotStandBesideTheServersClose(option: String) throws {
    let served = try ServedLoop { _, writer in
      writer.send(.ok, headers: ["Connection": option])
    }
    let client = try Client(to: served)
    try client.begin("GET", "/", headers: ["Connection: close"])
    let head = String(decoding: try client.readToEnd(), as: UTF8.self).lowercased()
    #expect(head.contains("connection: close") || head.contains(", close"))
    #expect(!head.contains("keep-alive"))
    try served.stop()
  }

  @Test func aSuccessfulConnectHasNoContentLength() throws {
    let served = try ServedLoop { _, writer in writer.send(.ok) }
    let client = try Client(to: served)
    try client.send("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n")
    #expect(try client.readHead()["Content-Length"] == nil)
    try served.stop()
  }

  /// Since Linux 6.14, cachestat(2) requires ownership of the file or write permission.
  @Test(.enabled(if: getuid() == 0))
  func aFileOfAnotherUserIsSentWithoutACopy() async {
    await #expect(processExitsWith: .success) { try Self.serveAnothersFile() }
  }

  private static func serveAnothersFile() throws {
    let folder = try TemporaryDirectory()
    try folder.write([UInt8](repeating: 1, count: 1 << 20), to: "file")
    let path = folder.path.appending("file")
    _ = unsafe chmod(folder.path.string, 0o755)
    _ = unsafe chmod(path.string, 0o644)
    seteuid(65_534)
    let core = OnLoop<LoopCore?>(nil)
    let files = OnLoop<[File]>([])
    let served = try ServedLoop { _, writer in
      writer.start(.ok, contentLength: 1 << 20)
      writer.write(files.value[0], 0..<1 << 20)
      writer.end()
    }
    try served.onLoop { server in
      core.value = server.value?.core
      guard let loop = core.value?.loop else { return }
      File.open(path, .readOnly, on: loop) { result in
        if let file = try? result.get() { files.value.append(file) }
      }
    }
    try served.waitUntil("the file") { _ in files.value.count == 1 }
    // Bytes that one client has read go to the next without a copy; that may take longer than a
    // second.
    let client = try Client(to: served)
    let deadline = ContinuousClock.now + testDeadline
    var uncopied: UInt64 = 0
    while uncopied < 1 << 20, ContinuousClock.now < deadline {
      #expect(try client.get("/").body.count == 1 << 20)
      uncopied = try served.onLoop { _ in
        core.value?.loop.statistics.uncopiedFileByteCount ?? 0
      }
    }
    #expect(uncopied >= 1 << 20)
    try served.onLoop { _ in
      files.value = []
      core.value = nil
    }
    try served.stop()
    seteuid(0)
  }

  // MARK: - Pace

  /// A client that takes nothing and sends a request now and then.
  @Test func aClientThatTakesNothingIsCut_thoughItSendsRequests() throws {
    var configuration = HTTPServer.Configuration()
    configuration.inactivityTimeout = .milliseconds(200)
    configuration.responseTimeout = .milliseconds(200)
    configuration.responsePauseLimit = .zero
    let served = try ServedLoop(configuration) { _, writer in
      writer.send(.ok, body: [UInt8](repeating: 1, count: 8000))
    }
    let client = try Client(to: served, receiveBufferByteCount: 4096)
    let request = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    // Until the kernel accepts no more: two responses that are still there some turns later, so
    // they are not just two that one turn has begun.
    var turns = 0
    while turns < 4 {
      if turns == 0 { try client.send(request) }
      try served.settle()
      let count = try served.onLoop { $0.value?.responsesInProgress ?? 0 }
      turns = count < 2 ? 0 : turns + 1
    }
    var count = 0
    while count < 25, try served.onLoop({ $0.value?.connectionCount == 1 }) {
      try served.pass(.milliseconds(100))
      if !client.trySend(request) { break }
      count += 1
    }
    // Its time has expired after the fourth at the latest.
    #expect(count < 20)
    client.vanish()
    try served.stop()
  }

  /// Empty lines before a request are not part of it.
  @Test func aClientThatSendsEmptyLinesOnlyIsClosed() throws {
    var configuration = HTTPServer.Configuration()
    configuration.inactivityTimeout = .milliseconds(100)
    configuration.requestTimeout = .milliseconds(100)
    let served = try ServedLoop(configuration) { _, writer in writer.send(.ok) }
    let client = try Client(to: served)
    var count = 0
    while count < 40 {
      try served.pass(.milliseconds(50))
      if !client.trySend("\r\n") || client.hasSeenTheEnd { break }
      count += 1
    }
    #expect(count < 30)
    client.vanish()
    try served.stop()
  }
}
