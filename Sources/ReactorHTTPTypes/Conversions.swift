#if HTTPTypes
  public import HTTPTypes
  public import ReactorHTTP

  extension HTTPRequest {
    /// Converts a request's head for swift-http-types.
    ///
    /// - Parameters:
    ///   - request: The request. All its fields are converted except `Host`, which becomes the
    ///     authority.
    ///   - scheme: The scheme that the client used, which the server does not know: "http", or
    ///     "https" if a proxy in front of it ends TLS.
    /// - Returns: Nil if swift-http-types, whose rules are stricter, rejects the method or a
    ///   field's name.
    public init?(_ request: HTTPServer.Request, scheme: String = "http") {
      guard let method = Method(request.method), var fields = HTTPFields(request.headers) else {
        return nil
      }
      // swift-http-types has the host as part of the target, not as a field.
      if let host = HTTPField.Name("Host") { fields[host] = nil }
      self.init(
        method: method, scheme: scheme, authority: request.authority,
        path: request.query.map { "\(request.path)?\($0)" } ?? request.path, headerFields: fields)
    }
  }

  extension HTTPRequest.Method {
    /// Converts a method; nil if swift-http-types rejects it.
    public init?(_ method: HTTPMethod) {
      self.init(rawValue: method.name)
    }
  }

  extension HTTPMethod {
    /// Converts a method.
    public init(_ method: HTTPRequest.Method) {
      self.init(method.rawValue)
    }
  }

  extension HTTPResponse.Status {
    /// Converts a status.
    public init(_ status: HTTPStatus) {
      self.init(code: status.code, reasonPhrase: status.reason)
    }
  }

  extension HTTPStatus {
    /// Converts a status.
    ///
    /// - Parameter status: The status. Its code must be in `100...999`; otherwise it traps.
    public init(_ status: HTTPResponse.Status) {
      self.init(status.code, status.reasonPhrase)
    }
  }

  extension HTTPFields {
    /// Converts the fields, in order; nil if swift-http-types rejects a name.
    public init?(_ fields: HeaderFields) {
      self.init()
      for field in fields {
        guard let name = HTTPField.Name(field.name) else { return nil }
        append(HTTPField(name: name, value: field.value))
      }
    }
  }

  extension HeaderFields {
    /// Converts the fields, in order.
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
    ///   - body: The bytes, which are copied.
    public func send(
      _ response: HTTPResponse, body: some Collection<UInt8> = EmptyCollection<UInt8>()
    ) {
      send(HTTPStatus(response.status), headers: HeaderFields(response.headerFields), body: body)
    }

    /// Starts a response; see
    /// ``/ReactorHTTP/HTTPServer/ResponseWriter/start(_:headers:contentLength:)``.
    ///
    /// - Parameters:
    ///   - response: Its fields without `Content-Length` and `Transfer-Encoding`.
    ///   - contentLength: The number of bytes that will be written, 0 or more, or nil if unknown.
    public func start(_ response: HTTPResponse, contentLength: Int64?) {
      start(
        HTTPStatus(response.status), headers: HeaderFields(response.headerFields),
        contentLength: contentLength)
    }
  }
#endif
