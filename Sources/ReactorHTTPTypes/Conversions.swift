#if HTTPTypes
  public import HTTPTypes
  public import ReactorHTTP

  extension HTTPRequest {
    /// The head of a request, as swift-http-types has it.
    ///
    /// - Parameters:
    ///   - request: Its fields come along but for `Host`, which is the authority there.
    ///   - scheme: What the client used, which the server does not know: "http", or "https" behind
    ///     something that ends TLS.
    /// - Returns: Nil where the method or a field's name is none there, which has stricter rules
    ///   for some.
    public init?(_ request: HTTPServer.Request, scheme: String = "http") {
      guard let method = Method(request.method), var fields = HTTPFields(request.headers) else {
        return nil
      }
      // There a host is a part of the target, and not of the fields.
      if let host = HTTPField.Name("Host") { fields[host] = nil }
      self.init(
        method: method, scheme: scheme, authority: request.authority,
        path: request.query.map { "\(request.path)?\($0)" } ?? request.path, headerFields: fields)
    }
  }

  extension HTTPRequest.Method {
    /// The same method; nil where it is none there.
    public init?(_ method: HTTPMethod) {
      self.init(rawValue: method.name)
    }
  }

  extension HTTPMethod {
    /// The same method.
    public init(_ method: HTTPRequest.Method) {
      self.init(method.rawValue)
    }
  }

  extension HTTPResponse.Status {
    /// The same status.
    public init(_ status: HTTPStatus) {
      self.init(code: status.code, reasonPhrase: status.reason)
    }
  }

  extension HTTPStatus {
    /// The same status.
    ///
    /// - Parameter status: Its code is `100...999`; another one traps.
    public init(_ status: HTTPResponse.Status) {
      self.init(status.code, status.reasonPhrase)
    }
  }

  extension HTTPFields {
    /// The same fields, in order; nil where a name is none there.
    public init?(_ fields: HeaderFields) {
      self.init()
      for field in fields {
        guard let name = HTTPField.Name(field.name) else { return nil }
        append(HTTPField(name: name, value: field.value))
      }
    }
  }

  extension HeaderFields {
    /// The same fields, in order.
    public init(_ fields: HTTPFields) {
      self.init()
      for field in fields { add(field.name.rawName, field.value) }
    }
  }

  extension HTTPServer.ResponseWriter {
    /// Sends a complete response; see
    /// ``/ReactorHTTP/HTTPServer/ResponseWriter/send(_:headers:body:)``.
    ///
    /// - Parameters:
    ///   - response: Its fields without `Content-Length` and `Transfer-Encoding`.
    ///   - body: Copied.
    public func send(
      _ response: HTTPResponse, body: some Collection<UInt8> = EmptyCollection<UInt8>()
    ) {
      send(HTTPStatus(response.status), headers: HeaderFields(response.headerFields), body: body)
    }

    /// Begins a response; see
    /// ``/ReactorHTTP/HTTPServer/ResponseWriter/start(_:headers:contentLength:)``.
    ///
    /// - Parameters:
    ///   - response: Its fields without `Content-Length` and `Transfer-Encoding`.
    ///   - contentLength: The bytes that will be written, 0 or more, or nil.
    public func start(_ response: HTTPResponse, contentLength: Int64?) {
      start(
        HTTPStatus(response.status), headers: HeaderFields(response.headerFields),
        contentLength: contentLength)
    }
  }
#endif
