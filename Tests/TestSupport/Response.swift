/// A response, as a client sees it.
public struct Response {
  /// The first line.
  public let statusLine: String
  /// The header.
  public let fields: [(name: String, value: String)]
  /// The body, as far as it was read.
  public var body: [UInt8] = []

  /// Takes a head apart.
  public init(head: String) {
    let lines = head.split(separator: "\r\n").map(String.init)
    statusLine = lines.first ?? ""
    fields = lines.dropFirst().map { line in
      let parts = line.split(separator: ":", maxSplits: 1)
      return (String(parts[0]), parts.count > 1 ? String(parts[1].drop { $0 == " " }) : "")
    }
  }

  /// The status code; 0 where there is none.
  public var code: Int { Int(statusLine.split(separator: " ").dropFirst().first ?? "") ?? 0 }
  /// The body as text.
  public var text: String { String(decoding: body, as: UTF8.self) }
  /// The `Content-Length`; 0 without one.
  public var contentLength: Int { self["Content-Length"].flatMap { Int($0) } ?? 0 }

  /// The first header line of a name.
  public subscript(name: String) -> String? {
    fields.first { $0.name.lowercased() == name.lowercased() }?.value
  }
}

extension [UInt8] {
  /// The index behind the first occurrence of a text that begins at `start` or later.
  public func end(ofFirst text: String, from start: Int = 0) -> Int? {
    let pattern = Array(text.utf8)
    guard count >= start + pattern.count else { return nil }
    return (start...(count - pattern.count))
      .first { self[$0] == pattern[0] && self[$0..<($0 + pattern.count)].elementsEqual(pattern) }
      .map { $0 + pattern.count }
  }

  /// Whether a text occurs.
  public func contains(_ text: String) -> Bool { end(ofFirst: text) != nil }
}
