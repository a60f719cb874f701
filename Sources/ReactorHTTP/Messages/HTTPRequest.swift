internal import CLibevent
internal import CLibeventExtra
internal import CReactor
internal import Glibc

/// A request that has arrived completely, with its body.
public final class HTTPRequest {
  /// The method. One that evhttp does not know is ``HTTPMethod/unknown``.
  public let method: HTTPMethod

  /// The target as sent: "/a%20b?c=d", "http://host/a", "*". Bytes that are not UTF-8 become
  /// replacement characters. Wraps `evhttp_request_get_uri`.
  public let target: String

  /// The target's path, still percent-encoded: "/a%20b". Empty for `CONNECT`.
  public let path: String

  /// What follows the target's question mark, still percent-encoded; nil without one.
  public let query: String?

  /// The minor version of HTTP/1 that the client speaks: 1, or 0 for old programs.
  public let minorVersion: Int

  /// The header. The trailer of a chunked body follows in it; evhttp does not tell them apart.
  public let headers: HTTPFields

  /// The client's numeric address, without port.
  public let remoteHost: String

  /// The client's port.
  public let remotePort: UInt16

  /// The body, which may be empty.
  public let body: HTTPBody

  /// Copies what a handler needs out of evhttp's request, and moves the body out of it, so that
  /// it does not depend on how long evhttp keeps its own.
  init(_ request: OpaquePointer, _ connection: OpaquePointer) {
    method = HTTPMethod(command: unsafe evhttp_request_get_command(request).rawValue)
    let target = unsafe String(evhttp: evhttp_request_get_uri(request)) ?? ""
    self.target = target
    let parsed = unsafe evhttp_request_get_evhttp_uri(request)
    if target.utf8.first == UInt8(ascii: "/") {
      // Not evhttp's reading of it: that takes "//a/b" for host "a" and path "/b".
      (path, query) = Self.split(target)
    } else {
      let path = unsafe String(evhttp: parsed.flatMap { unsafe evhttp_uri_get_path($0) }) ?? ""
      let isAbsolute = unsafe parsed.flatMap { unsafe evhttp_uri_get_scheme($0) } != nil
      self.path = path.isEmpty && isAbsolute ? "/" : path
      query = unsafe String(evhttp: parsed.flatMap { unsafe evhttp_uri_get_query($0) })
    }
    minorVersion = unsafe Int(creactor_minor_version(request))
    headers = unsafe HTTPFields(evhttp: evhttp_request_get_input_headers(request))
    (remoteHost, remotePort) = unsafe Self.peer(of: connection)
    body = unsafe HTTPBody.taking(from: evhttp_request_get_input_buffer(request))
  }

  private static func split(_ target: String) -> (path: String, query: String?) {
    let end = target.utf8.firstIndex { $0 == UInt8(ascii: "?") || $0 == UInt8(ascii: "#") }
    guard let end else { return (target, nil) }
    let path = String(target[..<end])
    guard target.utf8[end] == UInt8(ascii: "?") else { return (path, nil) }
    let query = target.utf8[end...].dropFirst().prefix { $0 != UInt8(ascii: "#") }
    return (path, String(Substring(query)))
  }

  private static func peer(of connection: OpaquePointer) -> (String, UInt16) {
    var address: UnsafeMutablePointer<CChar>?
    var port: UInt16 = 0
    unsafe evhttp_connection_get_peer(connection, &address, &port)
    return (unsafe String(evhttp: address.map { unsafe UnsafePointer($0) }) ?? "", port)
  }
}

extension HTTPMethod {
  /// - Parameter command: Its bit, bit 15 for what evhttp does not know.
  init(command: UInt32) {
    switch command {
    case EVHTTP_REQ_GET.rawValue: self = .get
    case EVHTTP_REQ_HEAD.rawValue: self = .head
    case EVHTTP_REQ_POST.rawValue: self = .post
    case EVHTTP_REQ_PUT.rawValue: self = .put
    case EVHTTP_REQ_DELETE.rawValue: self = .delete
    case EVHTTP_REQ_OPTIONS.rawValue: self = .options
    case EVHTTP_REQ_TRACE.rawValue: self = .trace
    case EVHTTP_REQ_CONNECT.rawValue: self = .connect
    case EVHTTP_REQ_PATCH.rawValue: self = .patch
    default: self = .unknown
    }
  }
}

extension HTTPFields {
  /// Copies evhttp's list of header lines.
  init(evhttp list: UnsafeMutablePointer<evkeyvalq>?) {
    self.init()
    var next = unsafe list?.pointee.tqh_first
    while let field = unsafe next {
      unsafe addUnchecked(
        textBytes(field.pointee.key).span, textBytes(field.pointee.value).span)
      unsafe next = field.pointee.next.tqe_next
    }
  }
}

/// What a C string of evhttp's consists of, while evhttp has it; nothing of none.
private func textBytes(_ text: UnsafePointer<CChar>?) -> UnsafeBufferPointer<UInt8> {
  guard let text = unsafe text else { return unsafe UnsafeBufferPointer(start: nil, count: 0) }
  return unsafe UnsafeBufferPointer(
    start: UnsafeRawPointer(text).assumingMemoryBound(to: UInt8.self), count: strlen(text))
}

extension String {
  /// Copies a C string of evhttp's, repairing what is not UTF-8.
  init?(evhttp text: UnsafePointer<CChar>?) {
    guard let text = unsafe text else { return nil }
    unsafe self.init(cString: text)
  }
}
