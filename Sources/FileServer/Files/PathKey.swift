import SystemPackage

/// A path below the root, as a key for lookups.
///
/// The key is a text in the form that most requests use: with a leading slash, which no relative
/// path has. If a path is not ASCII, the key is a percent sign followed by its percent-encoded
/// bytes: Swift compares other texts by their characters, and different names can have the same.
struct PathKey: Hashable {
  private let text: String

  /// - Parameter path: A relative path in its shortest form: without empty names, "." and "..".
  init(_ path: FilePath) {
    let bytes = path.bytes
    text =
      bytes.allSatisfy { $0 < 0x80 }
      ? "/" + String(decoding: bytes, as: UTF8.self) : "%" + percentEncoded(bytes)
  }

  /// - Parameter plainPath: A slash followed by such a path, in ASCII.
  init(plainPath: String) {
    text = plainPath
  }

  /// The size of the key in bytes.
  var byteCount: Int { text.utf8.count }

  var path: FilePath {
    let rest = String(Substring(text.utf8.dropFirst()))
    guard text.utf8.first == UInt8(ascii: "%") else { return FilePath(rest) }
    return FilePath(bytes: percentDecoded(rest) ?? [])
  }
}

extension FilePath {
  /// File names are bytes: names that are not UTF-8 must reach the kernel unchanged.
  ///
  /// - Parameter bytes: The bytes, without NUL. An empty array means ".".
  init(bytes: [UInt8]) {
    // The array ends with the NUL that the call requires.
    self =
      bytes.isEmpty
      ? "." : unsafe FilePath(platformString: bytes.map { CChar(bitPattern: $0) } + [0])
  }

  /// The path in the bytes that the kernel receives, which need not be UTF-8.
  var bytes: [UInt8] {
    // The pointer is used only during the call.
    unsafe withPlatformString { path in
      unsafe Array(UnsafeRawBufferPointer(start: path, count: length))
    }
  }
}

extension FilePath.Component {
  /// The name in the bytes of the kernel, which need not be UTF-8.
  var bytes: [UInt8] { FilePath(root: nil, [self]).bytes }
}
