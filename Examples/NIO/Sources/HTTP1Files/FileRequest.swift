internal import NIOHTTP1
internal import SystemPackage

/// What a request asks of the files.
struct FileRequest {
  let path: FilePath
  let isHead: Bool
  let isKeptAlive: Bool
  private let range: String?

  /// - Returns: Nil for a request of something else than a file.
  init?(_ head: HTTPRequestHead) {
    guard head.method == .GET || head.method == .HEAD else { return nil }
    let name = head.uri.prefix { $0 != "?" }.drop { $0 == "/" }
    path = FilePath(Self.removingPercentEncoding(name) ?? "")
    guard !path.isEmpty, path.isRelative else { return nil }
    isHead = head.method == .HEAD
    isKeptAlive = head.isKeepAlive
    range = head.headers.first(name: "range")
  }

  enum Part: Equatable {
    case all
    case range(Range<Int64>)
    case unsatisfiable
  }

  /// The part of a file of this size that is asked for. Anything but a single range of bytes is
  /// ignored, as RFC 9110 allows.
  func part(of byteCount: Int64) -> Part {
    guard let range, range.hasPrefix("bytes=") else { return .all }
    let ends = range.dropFirst(6).split(separator: "-", omittingEmptySubsequences: false)
    guard ends.count == 2 else { return .all }
    let last: Int64
    switch (Int64(ends[0]), Int64(ends[1])) {
    case (let first?, let end?) where first <= end:
      last = min(end, byteCount - 1)
      return first < byteCount ? .range(first..<last + 1) : .unsatisfiable
    case (let first?, nil) where ends[1].isEmpty:
      return first < byteCount ? .range(first..<byteCount) : .unsatisfiable
    case (nil, let count?) where ends[0].isEmpty:
      return count > 0 && byteCount > 0
        ? .range(max(0, byteCount - count)..<byteCount) : .unsatisfiable
    default: return .all
    }
  }

  /// - Returns: Nil for an escape that is none, and for a zero, which no name contains.
  static func removingPercentEncoding(_ text: some StringProtocol) -> String? {
    var bytes: [UInt8] = []
    var rest = Array(text.utf8)[...]
    while let byte = rest.popFirst() {
      guard byte == UInt8(ascii: "%") else {
        bytes.append(byte)
        continue
      }
      guard rest.count >= 2,
        let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16), value != 0
      else { return nil }
      bytes.append(value)
      rest = rest.dropFirst(2)
    }
    return String(validating: bytes, as: UTF8.self)
  }
}
