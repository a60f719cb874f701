import Reactor
import ReactorHTTP

/// A line of an access log, in the Combined Log Format that many tools parse.
struct LogLine {
  /// The most bytes that are logged of each text from a client.
  static let maximumTextByteCount = 2048

  /// The status that is logged when the client left before its response began.
  static let lostClientStatus = 499

  private let record: HTTPServer.ResponseRecord

  private let trustsForwardedFor: Bool

  /// - Parameters:
  ///   - record: The record of a response that has ended.
  ///   - trustsForwardedFor: Whether the last address in `X-Forwarded-For` is the client's, because
  ///     a proxy adds it.
  init(_ record: HTTPServer.ResponseRecord, trustsForwardedFor: Bool) {
    self.record = record
    self.trustsForwardedFor = trustsForwardedFor
  }

  /// The line, including its line end.
  func text(at date: HTTPDate) -> String {
    let outcome = record.outcome
    let status = outcome.status?.code ?? Self.lostClientStatus
    let byteCount = outcome.bodyByteCount == 0 ? "-" : "\(outcome.bodyByteCount)"
    let referer = record.request?.headers["Referer"] ?? "-"
    let userAgent = record.request?.headers["User-Agent"] ?? "-"
    return "\(Self.escaped(client)) - - [\(date.logged)] "
      + "\"\(Self.escaped(requestLine))\" \(status) \(byteCount) "
      + "\"\(Self.escaped(referer))\" \"\(Self.escaped(userAgent))\"\n"
  }

  private var client: String {
    guard trustsForwardedFor,
      let last = record.request?.headers.list("X-Forwarded-For")?.split(separator: ",").last,
      let address = SocketAddress(host: String(Substring(last.utf8.trimmed)), port: 0)
    else { return record.peerAddress.host }
    return address.host
  }

  /// The request line; for a refused request, the first line as received.
  private var requestLine: String {
    guard let request = record.request else { return record.refusedLine }
    return "\(request.method) \(request.target) HTTP/1.\(request.minorVersion)"
  }

  /// Escapes a text from a client, so it cannot end the line or its quotes, or send control codes
  /// to a terminal.
  static func escaped(_ text: String) -> String {
    let digits = Array("0123456789abcdef".utf8)
    var escaped: [UInt8] = []
    for byte in text.utf8.prefix(maximumTextByteCount) {
      switch byte {
      case UInt8(ascii: "\""), UInt8(ascii: "\\"): escaped += [UInt8(ascii: "\\"), byte]
      case 0x20...0x7E: escaped.append(byte)
      default:
        escaped += Array("\\x".utf8) + [digits[Int(byte >> 4)], digits[Int(byte & 15)]]
      }
    }
    return String(decoding: escaped, as: UTF8.self)
  }
}

extension HTTPDate {
  /// The date in the format of logs: "06/Nov/1994:08:49:37 +0000".
  fileprivate var logged: String {
    // "Sun, 06 Nov 1994 08:49:37 GMT"
    let words = description.split(separator: " ")
    return "\(words[1])/\(words[2])/\(words[3]):\(words[4]) +0000"
  }
}
