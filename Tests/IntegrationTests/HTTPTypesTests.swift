#if HTTPTypes
  import HTTPTypes
  import Reactor
  import ReactorHTTP
  import ReactorHTTPTypes
  import TestSupport
  import XCTest

  /// Both worlds in one file: no name is ambiguous.
  final class HTTPTypesTests: XCTestCase {
    func test_aHandlerGetsARequestAndRespondsInTheTypesOfSwiftHTTPTypes() throws {
      let loop = try EventLoop()
      var seen: HTTPRequest?
      let server = HTTPServer(on: loop) { request, response in
        seen = HTTPRequest(request)
        response.onEnd { _ in loop.stop() }
        var answer = HTTPResponse(status: .init(code: 299, reasonPhrase: "Odd"))
        answer.headerFields[.contentType] = "text/plain"
        response.send(answer, body: "Hello".utf8)
      }
      let address = try server.listen(host: "127.0.0.1", port: 0)
      let client = try Client(port: address.port)
      try client.begin("PATCH", "/a?b=c", headers: ["X-One: 1", "x-one: 2"])
      loop.run()
      let answer = try client.readResponse()
      XCTAssertEqual(answer.statusLine, "HTTP/1.1 299 Odd")
      XCTAssertEqual(answer["Content-Type"], "text/plain")
      XCTAssertEqual(answer.text, "Hello")
      XCTAssertEqual(seen?.method, .patch)
      XCTAssertEqual(seen?.path, "/a?b=c")
      XCTAssertEqual(seen?.authority, "test")
      let name = try XCTUnwrap(HTTPField.Name("X-One"))
      XCTAssertEqual(seen?.headerFields[values: name], ["1", "2"])
    }

    func test_fieldsMethodsAndStatusesComeBackAsTheyWere() throws {
      let fields: HeaderFields = ["A": "1", "b": "2", "A": "3"]
      XCTAssertEqual(HeaderFields(try XCTUnwrap(HTTPFields(fields))), fields)
      let method = HTTPMethod("PROPFIND")
      XCTAssertEqual(HTTPMethod(try XCTUnwrap(HTTPRequest.Method(method))), method)
      XCTAssertEqual(HTTPStatus(HTTPResponse.Status(HTTPStatus.notFound)), .notFound)
    }
  }
#endif
