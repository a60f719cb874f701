import PosixAIO
import Reactor
import Synchronization
import TestSupport
import Testing

@testable import ReactorHTTP

@Suite struct BackPressureTests {
  /// An endless response, one piece at a time, from one buffer.
  private final class Source: Sendable {
    static let pieceByteCount = 65_536

    let handedOut = Mutex(0)
    let addresses = Mutex<Set<UInt>>([])

    func feed(_ writer: HTTPServer.ResponseWriter, _ buffer: consuming IOBuffer) {
      let address = unsafe UInt(bitPattern: buffer.unsafeMemory.baseAddress)
      addresses.withLock { _ = $0.insert(address) }
      handedOut.withLock { $0 += Self.pieceByteCount }
      writer.write(buffer) { delivery, buffer in
        guard delivery == .sent else { return }
        self.feed(writer, buffer)
      }
    }
  }

  @Test func aClientThatDoesNotReadGetsNoMoreThanTheKernelHolds() throws {
    let source = Source()
    let served = try ServedLoop { request, writer in
      guard request.path == "/" else { return writer.send(.noContent) }
      writer.start(.ok, contentLength: nil)
      source.feed(writer, IOBuffer(copying: pattern(Source.pieceByteCount)))
    }
    let client = try Client(to: served, receiveBufferByteCount: 65_536)
    try client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    _ = try client.read(through: "\r\n\r\n")
    // The buffers of the kernel are full when no further piece is written while another client is
    // served many times.
    let other = try Client(to: served)
    var before = -1
    var now = source.handedOut.withLock { $0 }
    while now != before {
      before = now
      for _ in 1...500 {
        try other.send("GET /other HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(try other.readResponse().code == 204)
      }
      now = source.handedOut.withLock { $0 }
    }
    // On Linux, tcp_wmem ends at 4 MiB and tcp_rmem at 6 MiB; the process holds one piece.
    #expect(now < 32 * 1024 * 1024)
    #expect(source.addresses.withLock(\.count) == 1)
    // The response continues as the client reads, and every byte is correct.
    let whole = pattern(Source.pieceByteCount)
    for _ in 0...(now / Source.pieceByteCount) {
      #expect(try client.read(through: "\r\n") == "10000\r\n")
      #expect(try client.read(byteCount: Source.pieceByteCount) == whole)
      _ = try client.read(byteCount: 2)
    }
    #expect(source.handedOut.withLock { $0 } > now)
    try served.stop()
  }

  @Test func eachPieceIsReportedWhenItsOwnBytesAreOut() throws {
    let sent = Mutex<[Int]>([])
    let served = try ServedLoop { _, writer in
      writer.start(.ok, contentLength: 30_000_001)
      writer.write(IOBuffer(copying: [1])) { _, _ in sent.withLock { $0.append(1) } }
      for size in [10_000_000, 20_000_000] {
        writer.write(IOBuffer(copying: [UInt8](repeating: 2, count: size))) { _, buffer in
          sent.withLock { $0.append(buffer.count) }
          if buffer.count == 20_000_000 { writer.end() }
        }
      }
      #expect(sent.withLock { $0 } == [])
    }
    let client = try Client(to: served, receiveBufferByteCount: 65_536)
    try client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    _ = try client.read(through: "\r\n\r\n")
    try served.waitUntil("the first is reported alone") { _ in sent.withLock { $0 } == [1] }
    _ = try client.read(byteCount: 15_000_000)
    try served.waitUntil("the second is reported") { _ in
      sent.withLock { $0 } == [1, 10_000_000]
    }
    _ = try client.read(byteCount: 15_000_001)
    try served.waitUntil("the third is reported") { _ in
      sent.withLock { $0 } == [1, 10_000_000, 20_000_000]
    }
    try served.stop()
  }

  @Test func anEmptyPieceIsReportedAndEndsNothing() throws {
    let served = try ServedLoop { _, writer in
      writer.start(.ok, contentLength: nil)
      let isInside = OnLoop(true)
      writer.write(IOBuffer(capacity: 10)) { delivery, buffer in
        #expect(!isInside.value)
        #expect(delivery == .sent)
        #expect(buffer.capacity == 10)
        writer.write(IOBuffer(copying: "x".utf8)) { _, _ in writer.end() }
      }
      isInside.value = false
    }
    let client = try Client(to: served)
    try client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    #expect(try client.readResponse().text == "x")
    try served.stop()
  }
}
