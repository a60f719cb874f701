import ReactorHTTP
import SystemPackage

/// The file that a request names, relative to the root.
///
/// The path is decoded once. Anything that could mean more than a name below the root is refused
/// here. When the file is opened, the kernel ensures that no symbolic link leads outside.
struct RequestPath: Equatable {
  let key: PathKey

  /// The path without a leading slash; "." is the root itself.
  var path: FilePath { key.path }

  /// Whether the client requested a directory: with a trailing slash, or with "." as the last name.
  let endsInSlash: Bool

  /// Whether a name may begin with a dot. False for the usual paths.
  let mayHaveDotName: Bool

  /// Whether the last name has no extension, as the pages of applications have none.
  var hasNoExtension: Bool { !(path.lastComponent?.string.contains(".") ?? false) }

  /// - Parameter encoded: The percent-encoded path of a request target.
  /// - Returns: Nil for a path that names nothing below the root: it contains `..`, NUL or an
  ///   incomplete percent-encoding, or has no leading slash.
  init?(_ encoded: String) {
    if Self.isPlain(encoded.utf8) {
      key = PathKey(plainPath: encoded)
      endsInSlash = false
      mayHaveDotName = false
      return
    }
    guard encoded.utf8.first == UInt8(ascii: "/"),
      let bytes = percentDecoded(encoded), !bytes.contains(0)
    else { return nil }
    let names = bytes.split(separator: UInt8(ascii: "/"))
    guard !names.contains(where: { $0.elementsEqual("..".utf8) }) else { return nil }
    let relative = names.filter { !$0.elementsEqual(".".utf8) }.joined(separator: "/".utf8)
    key = PathKey(FilePath(bytes: Array(relative)))
    mayHaveDotName = true
    endsInSlash = bytes.last == UInt8(ascii: "/") || names.last?.elementsEqual(".".utf8) ?? false
  }

  /// A reference from a request target to the directory that it names without a slash: its last
  /// name, and a slash. A relative one stays valid behind a proxy that changes the start of paths.
  ///
  /// - Parameters:
  ///   - encoded: The percent-encoded path of the target, which names a directory.
  ///   - query: The query of the target; nil without one.
  static func directoryReference(_ encoded: String, query: String?) -> String {
    let slash = UInt8(ascii: "/")
    let name = encoded.utf8.lastIndex(of: slash).map { encoded[encoded.utf8.index(after: $0)...] }
    // Encoding the name afresh leaves nothing in it that begins a host or a scheme.
    let reference = percentEncoded(percentDecoded(String(name ?? encoded[...])) ?? []) + "/"
    return query.map { "\(reference)?\($0)" } ?? reference
  }

  /// The path of a file in the directory that this path names.
  func appending(_ name: String) -> FilePath {
    // The same path as in a request for the file itself.
    path == "." ? FilePath(name) : path.appending(name)
  }

  /// Whether a path can be used unchanged, as most can: it is ASCII, nothing in it is encoded, and
  /// no name is empty or begins with a dot.
  private static func isPlain(_ path: String.UTF8View) -> Bool {
    let slash = UInt8(ascii: "/")
    guard path.count > 1, path.first == slash, path.last != slash else { return false }
    var previous: UInt8 = 0
    for byte in path {
      if byte == 0 || byte >= 0x80 || byte == UInt8(ascii: "%") { return false }
      if previous == slash, byte == slash || byte == UInt8(ascii: ".") { return false }
      previous = byte
    }
    return true
  }
}

/// - Returns: The bytes of a percent-encoded text; nil if a `%` is not followed by two hexadecimal
///   digits.
func percentDecoded(_ text: String) -> [UInt8]? {
  var bytes: [UInt8] = []
  bytes.reserveCapacity(text.utf8.count)
  var rest = text.utf8[...]
  while let byte = rest.popFirst() {
    guard byte == UInt8(ascii: "%") else {
      bytes.append(byte)
      continue
    }
    guard let high = rest.popFirst()?.hexDigitValue, let low = rest.popFirst()?.hexDigitValue else {
      return nil
    }
    bytes.append(high << 4 | low)
  }
  return bytes
}

/// Percent-encodes a file name for use in a path: all bytes except unreserved characters.
func percentEncoded(_ name: [UInt8]) -> String {
  var text: [UInt8] = []
  text.append(percentEncoding: name)
  return String(decoding: text, as: UTF8.self)
}

extension [UInt8] {
  /// Appends bytes as ``percentEncoded(_:)`` writes them.
  mutating func append(percentEncoding name: some Collection<UInt8>) {
    for byte in name {
      if byte.isUnreserved {
        append(byte)
      } else {
        append(UInt8(ascii: "%"))
        append((byte >> 4).hexDigit)
        append((byte & 15).hexDigit)
      }
    }
  }
}

extension UInt8 {
  /// The digit of a number below 16.
  fileprivate var hexDigit: UInt8 {
    self < 10 ? UInt8(ascii: "0") + self : UInt8(ascii: "A") + self - 10
  }

  /// RFC 3986, section 2.3.
  fileprivate var isUnreserved: Bool {
    switch self {
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
      UInt8(ascii: "A")...UInt8(ascii: "Z"):
      true
    case UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "~"): true
    default: false
    }
  }
}
