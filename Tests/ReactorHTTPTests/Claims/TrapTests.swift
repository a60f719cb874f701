import PosixAIO
import Reactor
import SystemPackage
import TestSupport
import Testing

@testable import ReactorHTTP

/// Calls that are allowed, or that a client can cause, and that must not end the process.
@Suite struct TrapTests {
  @Test func aBodyIsReadWholeWithoutALimit() async {
    await #expect(processExitsWith: .success) {
      let served = try ServedLoop { request, writer in
        request.body.readAll(upTo: .max) { result in
          writer.send(.ok, body: (try? result.get()) ?? [])
        }
      }
      let client = try Client(to: served)
      #expect(try client.ask("PUT", "/", body: [1, 2, 3]).body == [1, 2, 3])
      try served.stop()
    }
  }

  @Test func aResponseMayBeEndedAfterTheCut() async {
    await #expect(processExitsWith: .success) {
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
  }

  @Test func aResponseMayBeSentAfterTheCut() async {
    await #expect(processExitsWith: .success) {
      let served = try ServedLoop { _, writer in
        writer.cut()
        writer.send(.ok)
      }
      let client = try Client(to: served)
      try client.begin("GET", "/")
      _ = try? client.readToEnd()
      try served.stop()
    }
  }

  /// This failure is documented: the file is shorter.
  @Test(arguments: [true, false])
  func aRangeUpToTheLastPlaceIsAFailure(isChunked: Bool) async {
    await #expect(processExitsWith: .success) { [isChunked] in
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
  }

  /// The client chooses the number of chunks. With the default input of 64 KiB, its 10,900 chunks
  /// use 4.7 MB of stack in a release build.
  @Test func aBodyOfManySmallChunksIsWrittenToAFile() async {
    await #expect(processExitsWith: .success) {
      var configuration = HTTPServer.Configuration()
      configuration.inputByteCount = 1 << 20
      let count = 150_000
      let text = try receive(
        configuration, FileWriter.Configuration(),
        "PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
          + String(repeating: "1\r\nx\r\n", count: count) + "0\r\n\r\n")
      #expect(text == "\(count)")
    }
  }

  /// Many bytes that arrive at once, and a writer that takes them one by one.
  @Test func aBodyIsWrittenInPiecesOfOneByte() async {
    await #expect(processExitsWith: .success) {
      let byteCount = 1 << 16
      var configuration = HTTPServer.Configuration()
      configuration.inputByteCount = 2 * byteCount
      var writing = FileWriter.Configuration()
      writing.chunkByteCount = 1
      let text = try receive(
        configuration, writing,
        "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: \(byteCount)\r\n\r\n"
          + String(repeating: "x", count: byteCount))
      #expect(text == "\(byteCount)")
    }
  }
}

/// Writes the body of a request to a file, once all of it has arrived, or most.
///
/// - Returns: The response.
private func receive(
  _ configuration: HTTPServer.Configuration, _ writing: FileWriter.Configuration, _ request: String
) throws -> String {
  let folder = try TemporaryFolder()
  let path = folder.path.appending("file")
  let requests = OnLoop<[(HTTPServer.Request, HTTPServer.ResponseWriter)]>([])
  let served = try ServedLoop(configuration) { requests.value.append(($0, $1)) }
  let client = try Client(to: served)
  try client.send(request)
  try served.waitUntil("the request") { _ in requests.value.count == 1 }
  for _ in 0..<20 { try served.settle() }
  try served.onLoop { server in
    guard let loop = server.value?.core.loop, let (request, writer) = requests.value.popLast()
    else { return }
    File.open(path, .writeOnly, options: .create, permissions: .ownerReadWrite, on: loop) {
      guard let file = try? $0.get() else { return }
      request.body.write(to: file, configuration: writing) { result in
        writer.send(.ok, body: "\((try? result.get()) ?? -1)".utf8)
      }
    }
  }
  let text = try client.readResponse().text
  try served.stop()
  return text
}
