import SystemPackage

/// Reads a file of settings as a whole. For the start of the program: it waits for the disk.
///
/// - Returns: The bytes.
/// - Throws: The error of the system; `EFBIG` for a file of more than 4 MiB.
func smallFile(_ path: FilePath) throws -> [UInt8] {
  let file = try FileDescriptor.open(path, .readOnly, options: .closeOnExec)
  return try file.closeAfter {
    var bytes: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 64 * 1024)
    while true {
      // The pointer is used only during the call.
      let byteCount = try unsafe piece.withUnsafeMutableBytes { try unsafe file.read(into: $0) }
      if byteCount == 0 { return bytes }
      bytes += piece[..<byteCount]
      guard bytes.count <= smallFileByteLimit else { throw Errno.fileTooLarge }
    }
  }
}

private let smallFileByteLimit = 4 * 1024 * 1024
