import PosixAIO
import Reactor
import SystemPackage
import TestSupport
import XCTest

final class AsyncSocketTests: SocketTaskTestCase {
  func test_echoServerAndItsClientsAreTasksOfOneLoop() throws {
    try runTask { loop in
      let listener = try Listener(on: loop, .loopback(port: 0))
      let bytes = Pattern.block(1, byteCount: 500_000)
      let server = loop.startTask {
        var sessions: [Task<Void, any Error>] = []
        for try await connection in listener.connections {
          sessions.append(
            loop.startTask {
              for try await chunk in connection.chunks { try await connection.write(chunk) }
              let reason = await connection.close()
              XCTAssertEqual(reason, .local)
            })
          if sessions.count == 3 { break }
        }
        for session in sessions { try await session.value }
      }
      let clients = (0..<3).map { _ in
        loop.startTask {
          let client = try await Connection.connect(to: listener.address, on: loop)
          let sender = loop.startTask {
            for start in stride(from: 0, to: bytes.count, by: 7919) {
              try await client.write(bytes[start..<min(start + 7919, bytes.count)])
            }
            try await client.flush()
            XCTAssertEqual(client.pendingByteCount, 0)
            client.shutdownOutput()
          }
          var received: [UInt8] = []
          while let chunk = try await client.read(atMost: 10_000) {
            XCTAssertLessThanOrEqual(chunk.count, 10_000)
            received += chunk
          }
          try await sender.value
          XCTAssertTrue(received == bytes)
          let reason = await client.close()
          XCTAssertEqual(reason, .endOfInput)
        }
      }
      for client in clients { try await client.value }
      try await server.value
      listener.close()
    }
  }

  func test_nothingIsReadBeyondTheHighWaterMarkWhileNoReadIsWaiting() throws {
    try runTask { loop in
      var limits = Connection.Configuration()
      limits.inputHighWaterByteCount = 8192
      limits.outputHighWaterByteCount = 8192
      limits.outputLowWaterByteCount = 0
      let ends = try await self.connect(loop, server: limits, client: limits)
      let bytes = Pattern.block(2, byteCount: 4_000_000)
      let writer = loop.startTask {
        try await ends.client.write(bytes)
        ends.client.shutdownOutput()
      }
      // The writer waits for the reader, so reading ends only when all of it has come.
      var received: [UInt8] = []
      while received.count < bytes.count {
        XCTAssertLessThan(ends.server.unreadByteCount, 2 * 8192)
        let buffer = try await ends.server.read(appendingTo: IOBuffer(capacity: 3000))
        XCTAssertFalse(buffer.isEmpty)
        received += Array(buffer)
      }
      try await writer.value
      XCTAssertTrue(received == bytes)
      let atEnd = try await ends.server.read(appendingTo: IOBuffer(capacity: 1))
      XCTAssertTrue(atEnd.isEmpty)
      let again = try await ends.server.read()
      XCTAssertNil(again)
      ends.abort()
    }
  }

  func test_bytesAreAppendedToABuffer_whichKeepsItsOwn() throws {
    try runTask { loop in
      let ends = try await self.connect(loop)
      try await ends.client.write(Array("def".utf8))
      ends.client.shutdownOutput()
      var buffer = IOBuffer(capacity: 7)
      buffer.append(contentsOf: "abc".utf8)
      while buffer.count < 6 { buffer = try await ends.server.read(appendingTo: buffer) }
      buffer = try await ends.server.read(appendingTo: buffer)
      XCTAssertEqual(String(decoding: buffer), "abcdef")
      ends.abort()
    }
  }

  func test_bytesComeBeforeTheErrorBehindThem() throws {
    try runTask { loop in
      let ends = try await self.connect(loop)
      try await ends.client.write("last words".utf8)
      try await ends.client.flush()
      ends.client.abort(resetting: true)
      // Until the reset is noticed.
      while ends.server.closeReason == nil { await self.turn(loop) }
      let words = try await ends.server.read()
      XCTAssertEqual(words, Array("last words".utf8))
      do {
        _ = try await ends.server.read()
        XCTFail("the peer is gone")
      } catch let error as SocketError {
        XCTAssertEqual(error.errno, .connectionReset)
        XCTAssertEqual("\(error)", "read \(ends.server.peerAddress): Connection reset by peer")
      }
    }
  }

  func test_cancellationEndsWhatWaits_andTheConnectionGoesOn() throws {
    try runTask { loop in
      let ends = try await self.connect(loop)
      let reader = loop.startTask { try await ends.server.read() }
      await self.turn(loop)
      reader.cancel()
      await self.expectCanceled { _ = try await reader.value }

      let many = [UInt8](repeating: 1, count: 20_000_000)
      let writer = loop.startTask { try await ends.server.write(many) }
      await self.turn(loop)
      writer.cancel()
      await self.expectCanceled { try await writer.value }

      // The bytes go on.
      var count = 0
      while count < many.count { count += try await ends.client.read()?.count ?? many.count }
      try await ends.client.write("still here".utf8)
      let text = try await ends.server.read()
      XCTAssertEqual(text, Array("still here".utf8))
      ends.abort()
    }
  }

  func test_cancellationEndsAnAcceptAndAConnect() throws {
    try runTask { loop in
      let listener = try Listener(on: loop, .loopback(port: 0))
      let accept = loop.startTask {
        for try await connection in listener.connections { connection.abort() }
      }
      let crowd = try FullBacklog(on: loop)
      let connect = loop.startTask {
        _ = try await Connection.connect(to: crowd.address, on: loop)
      }
      await self.turn(loop)
      accept.cancel()
      connect.cancel()
      await self.expectCanceled { try await accept.value }
      await self.expectCanceled { try await connect.value }
      listener.close()
      crowd.listener.close()
    }
  }

  func test_connectStartsNothing_inACancelledTask() throws {
    try runTask { loop in
      let name = "swift-aio-test-\(UInt64.random(in: 0 ... .max))"
      let listener = try Listener(on: loop, .abstract(name))
      var clientCount = 0
      listener.onConnection = { connection in
        clientCount += 1
        connection.abort()
      }
      let connect = loop.startTask {
        unsafe withUnsafeCurrentTask { unsafe $0?.cancel() }
        try await Connection.connect(to: listener.address, on: loop).abort()
      }
      await self.expectCanceled { try await connect.value }
      let named = loop.startTask {
        unsafe withUnsafeCurrentTask { unsafe $0?.cancel() }
        try await Connection.connect(to: "localhost", port: 1, on: loop).abort()
      }
      await self.expectCanceled { try await named.value }
      await self.turn(loop)
      XCTAssertEqual(clientCount, 0)
      listener.close()
    }
  }

  func test_closeEndsWhatWaits() throws {
    try runTask { loop in
      let listener = try Listener(on: loop, .loopback(port: 0))
      let accept = loop.startTask {
        for try await connection in listener.connections { connection.abort() }
      }
      let ends = try await self.connect(loop)
      let reader = loop.startTask { try await ends.server.read() }
      await self.turn(loop)
      listener.close()
      try await accept.value
      ends.server.abort()
      await self.expectCanceled { _ = try await reader.value }
      await self.expectCanceled { try await ends.server.flush() }
      ends.abort()
    }
  }

  func test_clientsThatWereNotTakenAreCut_whenTheTaskEnds() throws {
    try runTask { loop in
      let listener = try Listener(on: loop, .loopback(port: 0))
      var clients: [Connection] = []
      for _ in 0..<3 {
        clients.append(try await Connection.connect(to: listener.address, on: loop))
      }
      for try await connection in listener.connections {
        // All three, before the loop comes to this task again.
        while listener.connectionCount < 3 { await self.turn(loop) }
        connection.abort()
        break
      }
      for client in clients {
        let end = try await client.read()
        XCTAssertNil(end)
        client.abort()
      }
      listener.close()
    }
  }

  // MARK: Support

  /// Lets the loop do what is due.
  nonisolated(nonsending) private func turn(_ loop: EventLoop) async {
    await unsafe withUnsafeContinuation { continuation in
      loop.schedule(after: .milliseconds(1)) { unsafe continuation.resume() }
    }
  }

  nonisolated(nonsending) private func expectCanceled(
    line: UInt = #line, _ body: nonisolated(nonsending) () async throws -> Void
  ) async {
    do {
      try await body()
      XCTFail("not cancelled", line: line)
    } catch {
      XCTAssertEqual((error as? SocketError)?.errno, .canceled, "\(error)", line: line)
    }
  }
}
