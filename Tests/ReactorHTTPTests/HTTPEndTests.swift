import CLibevent
import Glibc
import PosixAIO
import SystemPackage
import TestSupport
import XCTest

@testable import Reactor
@testable import ReactorHTTP

/// HTTP servers at the end of their loop.
final class HTTPEndTests: XCTestCase {
  func test_aServerThatIsMadeWhileTheLoopEndsMayOutliveIt() throws {
    let loop = try EventLoop()
    var server: HTTPServer?
    loop.nextTurn {
      server = HTTPServer(on: loop) { _, writer in writer.send(.ok) }
      _ = try? server?.listen(host: "127.0.0.1", port: 0)
    }
    loop.close()
    XCTAssertEqual(server?.isClosed, true, "it still listens")
    server = nil
  }

  func test_aServerThatIsMadeWhileTheLoopEndsLeavesNothingInABorrowedBase() throws {
    let base = try unsafe XCTUnwrap(event_base_new())
    let loop = try unsafe EventLoop(borrowing: base)
    var server: HTTPServer?
    loop.nextTurn {
      server = HTTPServer(on: loop) { _, writer in writer.send(.ok) }
      _ = try? server?.listen(host: "127.0.0.1", port: 0)
    }
    loop.close()
    XCTAssertEqual(unsafe event_base_get_num_events(base, UInt32(EVENT_BASE_COUNT_ADDED)), 0)
    server = nil
    unsafe event_base_free(base)
  }

  func test_everyShutDownOfAServerIsCalledBackWhenTheLoopEndsFirst() throws {
    let loop = try EventLoop()
    var held: HTTPServer.ResponseWriter?
    var calls = 0
    let server = HTTPServer(on: loop) { _, writer in
      held = writer
      loop.stop()
    }
    let address = try server.listen(host: "127.0.0.1", port: 0)
    let client = try Client(port: XCTUnwrap(address.port))
    try client.begin("GET", "/")
    loop.run()
    server.shutDown { calls += 1 }
    loop.close()
    XCTAssertEqual(calls, 1)
    withExtendedLifetime(held) {}
  }

  func test_aWriterMayBeUsedAfterTheLoopsEnd() throws {
    let loop = try EventLoop()
    var held: HTTPServer.ResponseWriter?
    let server = HTTPServer(on: loop) { _, writer in
      held = writer
      loop.stop()
    }
    let address = try server.listen(host: "127.0.0.1", port: 0)
    let client = try Client(port: XCTUnwrap(address.port))
    try client.begin("GET", "/")
    loop.run()
    loop.close()
    XCTAssertEqual(held?.isConnectionLost, true)
    held?.start(.ok, contentLength: 2)
    // "When the client is gone, all calls stay allowed and do nothing."
    held?.onConnectionLost {}
    held?.onEnd { _ in }
    held?.write(IOBuffer(copying: [1, 2] as [UInt8])) { _, _ in }
    held?.end()
    held = nil
    _ = server
  }

  func test_aLoopOnABorrowedBaseMayBeDroppedInARequestHandler() throws {
    let base = try unsafe XCTUnwrap(event_base_new())
    var loop: EventLoop? = try unsafe EventLoop(borrowing: base)
    var server: HTTPServer?
    server = HTTPServer(on: try XCTUnwrap(loop)) { _, writer in
      writer.send(.ok)
      loop = nil
    }
    let address = try XCTUnwrap(server).listen(host: "127.0.0.1", port: 0)
    let client = try Client(port: XCTUnwrap(address.port))
    try client.begin("GET", "/")
    unsafe event_base_dispatch(base)
    XCTAssertNil(loop)
    XCTAssertEqual(unsafe event_base_get_num_events(base, UInt32(EVENT_BASE_COUNT_ADDED)), 0)
    server = nil
    unsafe event_base_free(base)
  }

  func test_aLoopOnABorrowedBaseAndItsServerMayBeDroppedInARequestHandler() throws {
    let base = try unsafe XCTUnwrap(event_base_new())
    var loop: EventLoop? = try unsafe EventLoop(borrowing: base)
    var server: HTTPServer?
    server = HTTPServer(on: try XCTUnwrap(loop)) { _, writer in
      writer.send(.ok)
      server = nil
      loop = nil
    }
    let address = try XCTUnwrap(server).listen(host: "127.0.0.1", port: 0)
    let client = try Client(port: XCTUnwrap(address.port))
    try client.begin("GET", "/")
    unsafe event_base_dispatch(base)
    XCTAssertNil(loop)
    unsafe event_base_free(base)
  }
}
