internal import CLibevent
internal import CLibeventExtra

// What evhttp is told about an answer that it sends itself.
extension Exchange {
  func addHeaders(
    _ headers: HTTPFields, contentLength: Int?, to request: OpaquePointer,
    _ connection: HTTPConnection
  ) {
    var headers = headers
    if let contentLength { headers.add("Content-Length", String(contentLength)) }
    // evhttp looks for this line, and closes behind the answer if it says so.
    if closesConnection || connection.isServerShuttingDown { headers["Connection"] = "close" }
    let output = unsafe evhttp_request_get_output_headers(request)
    for field in headers { unsafe evhttp_add_header(output, field.name, field.value) }
  }

  func add(_ text: String, to output: OpaquePointer?) {
    _ = unsafe evbuffer_add(output, text, text.utf8.count)
  }

  /// A client of HTTP/1.0 that wants to be kept alive can't be where the length of the answer is
  /// not known; evhttp would tell it that the length is 0. Changes nothing for HTTP/1.1.
  func dropKeepAlive(of request: OpaquePointer) {
    let headers = unsafe evhttp_request_get_input_headers(request)
    let value = unsafe String(evhttp: evhttp_find_header(headers, "Connection")) ?? ""
    if value.prefix(10).description.equalsIgnoringCase("keep-alive") {
      unsafe evhttp_remove_header(headers, "Connection")
    }
  }
}
