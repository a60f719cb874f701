import PosixAIO
import Reactor
import ReactorHTTP
import SystemPackage

// What the articles of ReactorHTTP show.

func answer(with file: File, _ responder: HTTPResponder) {
  let reader = FileReader(file)
  responder.start(.ok, contentLength: Int(file.openingStatus.byteCount))
  func step() {
    reader.next { result in
      switch consume result {
      case .success(let chunk?):
        responder.write(chunk) { delivery, chunk in
          reader.recycle(chunk)
          if delivery == .sent { step() } else { file.close() }
        }
      case .success(nil):
        responder.end()
        file.close()
      case .failure:
        responder.cut()  // so that the client can tell that it is not whole
        file.close()
      }
    }
  }
  step()
}

func serve(_ path: String, on loop: EventLoop) throws -> (HTTPServer, port: UInt16) {
  let server = HTTPServer(on: loop) { request, responder in
    guard request.method == .get, request.path == "/file" else {
      return responder.send(.notFound, body: "Not here\n".utf8)
    }
    File.open(FilePath(path), .readOnly, on: loop) { result in
      switch result {
      case .success(let file): answer(with: file, responder)
      case .failure: responder.send(.internalServerError)
      }
    }
  }
  let address = try server.listen(host: "127.0.0.1", port: 0)
  return (server, address.port)
}
