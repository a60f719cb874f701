/// A form in which a precompressed file is sent, the smallest first.
enum ContentCoding: CaseIterable, Sendable {
  case brotli, zstandard, gzip

  /// The name in `Content-Encoding` (RFC 9110, section 18.6).
  var name: String {
    switch self {
    case .brotli: "br"
    case .zstandard: "zstd"
    case .gzip: "gzip"
    }
  }

  /// What the name of such a file has after the name of the plain one.
  var suffix: String {
    switch self {
    case .brotli: ".br"
    case .zstandard: ".zst"
    case .gzip: ".gz"
    }
  }
}
