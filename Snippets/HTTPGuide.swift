// HTTPGuide FILE: what the articles of ReactorHTTP show; asks its own server for the file.
import PosixAIO
import Reactor
import ReactorHTTP
import SystemPackage

func respond(with file: File, _ response: HTTPServer.ResponseWriter) {
  let byteCount = file.openingStatus.byteCount
  response.start(.ok, contentLength: byteCount)
  response.write(file, 0..<byteCount)
  response.end()
  file.close()  // The response goes on with what it needs of it.
}

func receive(
  _ body: HTTPServer.RequestBody, into file: File, _ response: HTTPServer.ResponseWriter
) {
  body.write(to: file, durably: true) { result in
    file.close()
    switch result {
    case .success(let byteCount): response.send(.created, body: "\(byteCount)\n".utf8)
    case .failure: response.send(body.failure?.status ?? .internalServerError)
    }
  }
}

func makeServer(on loop: EventLoop) -> HTTPServer {
  HTTPServer(on: loop) { request, response async in
    do throws(HTTPServer.RequestBody.Failure) {
      var byteCount = 0
      while let bytes = try await request.body.next() { byteCount += bytes.count }
      response.send(.ok, body: "\(byteCount)\n".utf8)
    } catch {
      response.send(error.status)
    }
  }
}

func serve(_ path: String, on loop: EventLoop) throws -> (HTTPServer, port: UInt16) {
  let server = HTTPServer(on: loop) { request, response in
    guard request.method == .get, request.path == "/file" else {
      return response.send(.notFound, body: "Not here\n".utf8)
    }
    File.open(FilePath(path), .readOnly, on: loop) { result in
      switch result {
      case .success(let file): respond(with: file, response)
      case .failure: response.send(.internalServerError)
      }
    }
  }
  let address = try server.listen(host: "127.0.0.1", port: 0)
  return (server, address.port)
}

try EventLoop.run { loop in
  let (server, port) = try serve(CommandLine.arguments[1], on: loop)
  let client = try await Connection.connect(to: .loopback(port: port), on: loop)
  try await client.write("GET /file HTTP/1.0\r\n\r\n".utf8)
  var response: [UInt8] = []
  for try await chunk in client.chunks { response += chunk }
  print(String(decoding: response, as: UTF8.self), terminator: "")
  server.stopAccepting()
  await client.close()
}
