import SystemPackage

/// A path below the root, to look files up by.
///
/// It is a text, so that most requests name it as they come: with a slash in front, which no path
/// below the root begins with. The bytes of a path that is not UTF-8 are percent-encoded after a
/// percent sign.
struct PathKey: Hashable {
  private let text: String

  /// - Parameter path: Relative, and as short as it can be: without empty names, "." and "..".
  init(_ path: FilePath) {
    let bytes = path.bytes
    if let name = String(validating: bytes, as: UTF8.self) {
      text = "/" + name
    } else {
      text = "%" + percentEncoded(bytes)
    }
  }

  /// - Parameter plainPath: A slash, and then such a path.
  init(plainPath: String) {
    text = plainPath
  }

  /// The memory that it takes.
  var byteCount: Int { text.utf8.count }

  var path: FilePath {
    let rest = String(Substring(text.utf8.dropFirst()))
    guard text.utf8.first == UInt8(ascii: "%") else { return FilePath(rest) }
    return FilePath(bytes: percentDecoded(rest) ?? [])
  }
}

extension FilePath {
  /// File names are bytes: what is not UTF-8 has to reach the kernel as it came.
  ///
  /// - Parameter bytes: Without NUL. None stand for ".".
  init(bytes: [UInt8]) {
    // The array ends in the NUL that is asked for.
    self =
      bytes.isEmpty
      ? "." : unsafe FilePath(platformString: bytes.map { CChar(bitPattern: $0) } + [0])
  }

  /// The path as the kernel gets it, which need not be UTF-8.
  var bytes: [UInt8] {
    // Lent for the length of the call.
    unsafe withPlatformString { path in
      unsafe Array(UnsafeRawBufferPointer(start: path, count: length))
    }
  }
}

extension FilePath.Component {
  /// The name as the kernel has it, which need not be UTF-8.
  var bytes: [UInt8] { FilePath(root: nil, [self]).bytes }
}
