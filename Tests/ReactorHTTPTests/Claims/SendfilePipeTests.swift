import Glibc
import PosixAIO
import Reactor
import SystemPackage
import TestSupport
import Testing

@testable import ReactorHTTP

/// A connection never raises SIGPIPE.
@Suite struct SendfilePipeTests {
  /// A reset from a client that had ended its side is an EPIPE for the server. sendfile(2) sends 64
  /// KiB at a time: if the first part was sent and the next one met the EPIPE, the call raises the
  /// signal and returns the number of bytes sent.
  @Test func aClientThatEndsItsSideAndVanishesDoesNotKillTheServer() async {
    await #expect(processExitsWith: .success) {
      makeBrokenPipesFatal()
      let folder = try TemporaryFolder()
      let byteCount = 16 << 20
      try folder.write([UInt8](repeating: 1, count: byteCount), to: "file")
      let path = folder.path.appending("file")
      let files = OnLoop<[File]>([])
      let served = try ServedLoop { _, writer in
        writer.start(.ok, contentLength: Int64(byteCount))
        writer.write(files.value[0], 0..<Int64(byteCount))
        writer.end()
      }
      try served.onLoop { server in
        guard let loop = server.value?.core.loop else { return }
        File.open(path, .readOnly, on: loop) { result in
          if let file = try? result.get() { files.value.append(file) }
        }
      }
      try served.waitUntil("the file") { _ in files.value.count == 1 }
      for number in 0..<500 {
        let client = try Client(to: served)
        try client.begin("GET", "/")
        client.finishSending()
        _ = try client.skip(byteCount: number % 50 * 50_000)
        client.vanish()
      }
      try served.onLoop { _ in files.value = [] }
      try served.stop()
    }
  }
}

private func makeBrokenPipesFatal() {
  signal(SIGPIPE, SIG_DFL)
}
