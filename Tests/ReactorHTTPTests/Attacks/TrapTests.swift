import PosixAIO
import Reactor
import SystemPackage
import TestSupport
import Testing

@testable import ReactorHTTP

/// Calls that are allowed, or are what a client has a handler do, and must not end the process.
@Suite struct TrapTests {
  @Test func aBodyIsReadWholeWithoutALimit() async {
    let result = await #expect(
      processExitsWith: .success, observing: [\.standardErrorContent]
    ) {
      let served = try ServedLoop { request, writer in
        request.body.readAll(upTo: .max) { result in
          writer.send(.ok, body: (try? result.get()) ?? [])
        }
      }
      let client = try Client(to: served)
      #expect(try client.ask("PUT", "/", body: [1, 2, 3]).body == [1, 2, 3])
      try served.stop()
    }
    show(result)
  }

  @Test func aResponseMayBeEndedBehindTheCut() async {
    let result = await #expect(
      processExitsWith: .success, observing: [\.standardErrorContent]
    ) {
      let served = try ServedLoop { _, writer in
        writer.start(.ok, contentLength: 5)
        writer.cut()
        writer.write(IOBuffer(copying: "bytes".utf8)) { _, _ in }
        writer.end()
      }
      let client = try Client(to: served)
      try client.begin("GET", "/")
      _ = try? client.readToEnd()
      try served.stop()
    }
    show(result)
  }

  @Test func aResponseMayBeSentBehindTheCut() async {
    let result = await #expect(
      processExitsWith: .success, observing: [\.standardErrorContent]
    ) {
      let served = try ServedLoop { _, writer in
        writer.cut()
        writer.send(.ok)
      }
      let client = try Client(to: served)
      try client.begin("GET", "/")
      _ = try? client.readToEnd()
      try served.stop()
    }
    show(result)
  }

  /// The failure is documented: the file is shorter.
  @Test(arguments: [true, false])
  func aRangeUpToTheLastPlaceIsAFailure(isChunked: Bool) async {
    let result = await #expect(
      processExitsWith: .success, observing: [\.standardErrorContent]
    ) { [isChunked] in
      let folder = try TemporaryFolder()
      try folder.write(Array("bytes".utf8), to: "file")
      let path = folder.path.appending("file")
      let core = OnLoop<LoopCore?>(nil)
      let results = OnLoop<[Result<Int64, PumpError>]>([])
      let served = try ServedLoop { _, writer in
        guard let loop = core.value?.loop else { return }
        File.open(path, .readOnly, on: loop) { result in
          guard let file = try? result.get() else { return }
          writer.start(.ok, contentLength: isChunked ? nil : .max)
          writer.write(file, 0..<Int64.max) { results.value.append($0) }
          writer.end()
        }
      }
      try served.onLoop { core.value = $0.value?.core }
      let client = try Client(to: served)
      try client.begin("GET", "/")
      _ = try? client.readToEnd()
      try served.waitUntil("the failure") { _ in results.value.count == 1 }
      try served.onLoop { _ in core.value = nil }
      try served.stop()
    }
    show(result)
  }

  /// As many bytes as arrive at once, and a writer that takes them one by one.
  @Test func aBodyIsWrittenInPiecesOfOneByte() async {
    let result = await #expect(
      processExitsWith: .success, observing: [\.standardErrorContent]
    ) {
      let folder = try TemporaryFolder()
      let path = folder.path.appending("file")
      let requests = OnLoop<[(HTTPServer.Request, HTTPServer.ResponseWriter)]>([])
      let byteCount = 1 << 20
      var configuration = HTTPServer.Configuration()
      configuration.inputByteCount = 2 * byteCount
      let served = try ServedLoop(configuration) { requests.value.append(($0, $1)) }
      let client = try Client(to: served)
      try client.begin("PUT", "/", body: [UInt8](repeating: 1, count: byteCount))
      try served.waitUntil("the request") { _ in requests.value.count == 1 }
      // All of it has arrived, or most.
      for _ in 0..<20 { try served.settle() }
      try served.onLoop { server in
        guard let loop = server.value?.core.loop, let (request, writer) = requests.value.popLast()
        else { return }
        File.open(path, .writeOnly, options: .create, permissions: .ownerReadWrite, on: loop) {
          guard let file = try? $0.get() else { return }
          var writing = FileWriter.Configuration()
          writing.chunkByteCount = 1
          request.body.write(to: file, configuration: writing) { result in
            writer.send(.ok, body: "\((try? result.get()) ?? -1)".utf8)
          }
        }
      }
      #expect(try client.readAnswer().text == "\(byteCount)")
      try served.stop()
    }
    show(result)
  }
}

/// Shows why a process has ended.
private func show(_ result: ExitTest.Result?) {
  guard let result else { return }
  let lines = String(decoding: result.standardErrorContent, as: UTF8.self)
    .split(separator: "\n").filter { $0.contains("atal error") || $0.contains("rror:") || $0.contains("recondition") || $0.contains("Sanitizer") }
  print("ended:", lines.prefix(4).joined(separator: " | "))
}
