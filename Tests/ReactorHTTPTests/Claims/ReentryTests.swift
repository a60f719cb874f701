import Glibc
import PosixAIO
import Reactor
import SystemPackage
import TestSupport
import Testing

@testable import ReactorHTTP

/// Handlers that make any call in any callback, for clients that send and leave at random. The
/// sanitizers detect memory that is freed too early; this test checks that each callback runs once.
@Suite struct ReentryTests {
  private static let bytes = Pattern.block(9, byteCount: 3_000_000)

  @Test(arguments: 0..<8) func everyCallbackRunsOnce_whateverIsDoneInCallbacks(part: Int) throws {
    let folder = try TemporaryFolder()
    try folder.write(Self.bytes, to: "file")
    for number in 0..<150 {
      let seed = UInt64(part * 1000 + number)
      let complaints = try Self.run(seed, folder)
      #expect(complaints == [], "seed \(seed)")
    }
  }

  private static func run(_ seed: UInt64, _ folder: TemporaryFolder) throws -> [String] {
    // SendfilePipeTests shows the signal that would otherwise end the process.
    signal(SIGPIPE, SIG_IGN)
    var random = SeededGenerator(seed: seed &+ 77)
    let desk = OnLoop<ReentryDesk?>(nil)
    let kept = OnLoop<HTTPServer?>(nil)
    var configuration = HTTPServer.Configuration()
    configuration.inactivityTimeout = .milliseconds(100)
    configuration.inputByteCount = [4096, 65_536].randomElement(using: &random) ?? 4096
    let served = try ServedLoop(configuration) { desk.value?.handle($0, $1) }
    let (path, target) = (folder.path.appending("file"), folder.path.appending("target"))
    let files = OnLoop<[File]>([])
    try served.onLoop { server in
      guard let loop = server.value?.core.loop else { return }
      kept.value = server.value
      File.open(path, .readOnly, on: loop) { result in
        if let file = try? result.get() { files.value.append(file) }
        File.open(target, .writeOnly, options: .create, permissions: .ownerReadWrite, on: loop) {
          if let file = try? $0.get() { files.value.append(file) }
        }
      }
    }
    try served.waitUntil("the files") { _ in files.value.count == 2 }
    try served.onLoop { server in
      guard let core = server.value?.core else { return }
      server.value = nil
      desk.value = ReentryDesk(
        seed: seed, bytes: bytes, core, files.value[0], files.value[1], server: { kept.value },
        dropServer: { kept.value = nil })
      kept.value?.onResponseEnd = { _ in }
    }
    try visit(served, &random)
    try served.waitUntil("seed \(seed): the connections are gone") { _ in
      kept.value?.connectionCount ?? 0 == 0
    }
    for _ in 0..<5 { try served.settle() }
    let left = try served.onLoop { _ in kept.value?.responsesInProgress ?? 0 }
    try served.onLoop { server in
      desk.value?.rage = 0
      server.value = kept.value
      kept.value = nil
    }
    try served.stop(closing: true)
    let complaints = desk.value?.complaints ?? ["no desk"]
    desk.value?.letGo()
    desk.value = nil
    files.value = []
    return complaints + (left == 0 ? [] : ["\(left) responses in progress"])
  }

  private static func visit(_ served: ServedLoop, _ random: inout SeededGenerator) throws {
    for _ in 0..<150 {
      let size: Int32? = Bool.random(using: &random) ? 4096 : nil
      guard let client = try? Client(to: served, receiveBufferByteCount: size) else { return }
      client.limitSending(to: .milliseconds(200))
      var bytes: [UInt8] = []
      for _ in 0..<Int.random(in: 1...6, using: &random) { bytes += request(&random) }
      while !bytes.isEmpty {
        let count = min(bytes.count, [1, 7, 100, 5000, 100_000].randomElement(using: &random) ?? 1)
        guard client.trySend(Array(bytes[..<count])) else { break }
        bytes.removeFirst(count)
        if Int.random(in: 0..<20, using: &random) == 0 { break }
      }
      switch Int.random(in: 0..<4, using: &random) {
      case 0: client.vanish()
      case 1: _ = try? client.skip(byteCount: 100_000)
      default:
        client.finishSending()
        _ = try? client.readToEnd()
      }
    }
  }

  private static func request(_ random: inout SeededGenerator) -> [UInt8] {
    let host = "HTTP/1.1\r\nHost: x\r\n"
    let size = [0, 10, 5000, 300_000].randomElement(using: &random) ?? 0
    let body = [UInt8](repeating: 66, count: size)
    switch Int.random(in: 0..<9, using: &random) {
    case 0, 1: return Array("GET / \(host)\r\n".utf8)
    case 2: return Array("HEAD / \(host)\r\n".utf8)
    case 3: return Array("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n".utf8)
    case 4: return Array("PUT / \(host)Content-Length: \(size)\r\n\r\n".utf8) + body
    case 5:
      return Array("PUT / \(host)Expect: 100-continue\r\nContent-Length: \(size)\r\n\r\n".utf8)
        + body
    case 6, 7:
      let hex = String(size, radix: 16)
      let chunk = size == 0 ? [] : Array("\(hex);a=b\r\n".utf8) + body + Array("\r\n".utf8)
      return Array("PUT / \(host)Transfer-Encoding: chunked\r\n\r\n".utf8) + chunk
        + Array("0\r\nX: y\r\n\r\n".utf8)
    default: return Array("GET / \(host)Connection: close\r\n\r\n".utf8)
    }
  }
}
