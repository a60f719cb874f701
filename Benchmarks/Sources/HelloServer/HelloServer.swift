internal import Glibc
internal import Reactor
internal import ReactorHTTP

/// `hello-server PORT`: responds with the same six bytes to everything, on one thread. What is
/// measured of it is the HTTP server itself.
@main
enum HelloServer {
  static func main() throws {
    guard CommandLine.arguments.count == 2, let port = UInt16(CommandLine.arguments[1]) else {
      print("usage: hello-server PORT")
      exit(2)
    }
    let loop = try EventLoop()
    let server = HTTPServer(on: loop) { _, response in
      response.send(.ok, headers: ["Content-Type": "text/plain"], body: "Hello\n".utf8)
    }
    let address = try server.listen(host: "127.0.0.1", port: port)
    print("listening on http://\(address)")
    fflush(nil)
    withExtendedLifetime(server) { loop.run() }
  }
}
