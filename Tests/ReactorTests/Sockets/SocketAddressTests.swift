import Reactor
import SystemPackage
import XCTest

final class SocketAddressTests: XCTestCase {
  func test_whatIsPrintedCanBeParsed() throws {
    for text in [
      "127.0.0.1:80", "0.0.0.0:0", "[::1]:65535", "[2001:db8::1]:443", "[fe80::1%1]:22",
      "unix:/run/a socket", "unix:@name", "unix:",
    ] {
      let address = try XCTUnwrap(SocketAddress(text), text)
      XCTAssertEqual("\(address)", text)
      XCTAssertEqual(SocketAddress("\(address)"), address)
    }
  }

  func test_mappedIPv4AddressIsAnIPv4Address() throws {
    let mapped = try XCTUnwrap(SocketAddress("[::ffff:127.0.0.1]:80"))
    XCTAssertEqual(mapped, .loopback(port: 80))
    XCTAssertEqual("\(mapped)", "127.0.0.1:80")
    XCTAssertEqual(mapped.family, .ipv4)
    XCTAssertEqual(SocketAddress("[::127.0.0.1]:80")?.family, .ipv6)
  }

  func test_peerOfAListenerOnAllAddressesHasItsIPv4Address() throws {
    let loop = try EventLoop()
    let listener = try Listener(on: loop, .any(port: 0))
    var peer: SocketAddress?
    listener.onConnection = { connection in
      peer = connection.peerAddress
      connection.abort()
      loop.stop()
    }
    Connection.connect(to: .loopback(port: listener.address.port), on: loop) { result in
      if case .success(let connection) = result { connection.abort() }
    }
    loop.runUntilStopped()
    XCTAssertEqual(peer?.host, "127.0.0.1")
    XCTAssertEqual(peer?.family, .ipv4)
    listener.close()
  }

  func test_whatIsNoAddressIsRefused() {
    for text in [
      "", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "localhost:80", "::1:80", "[127.0.0.1]:80",
      "[::1]", "[fe80::1%nosuchinterface]:1", "unix:@",
      "unix:" + String(repeating: "x", count: 108),
    ] {
      XCTAssertNil(SocketAddress(text), text)
    }
    XCTAssertNil(SocketAddress(host: "example.org", port: 80))
  }

  func test_partsAreThoseOfTheAddress() {
    let ipv4 = SocketAddress.loopback(port: 8080)
    XCTAssertEqual(ipv4.family, .ipv4)
    XCTAssertEqual(ipv4.host, "127.0.0.1")
    XCTAssertEqual(ipv4.port, 8080)
    XCTAssertEqual(SocketAddress(host: "127.0.0.1", port: 8080), ipv4)
    XCTAssertEqual("\(SocketAddress.any(port: 1))", "[::]:1")
    let unix = SocketAddress.unix("/tmp/x")
    XCTAssertEqual(unix.family, .unix)
    XCTAssertEqual(unix.path, "/tmp/x")
    XCTAssertEqual(unix.port, 0)
    XCTAssertNil(SocketAddress.abstract("x").path)
  }
}
