internal import CPeers
internal import Glibc
internal import PosixAIO
public import SystemPackage

/// The files that are read and written, made once and kept.
public enum WorkFile {
  /// Makes a file whose blocks each hold their own pattern, unless it is there already.
  ///
  /// - Parameters:
  ///   - path: Of the file.
  ///   - blockCount: Its size in blocks.
  ///   - isCached: Whether the page cache holds the file afterwards, or nothing of it.
  ///   - isReused: Whether a file that is there already will do.
  public static func make(
    _ path: FilePath, blockCount: Int64, isCached: Bool, isReused: Bool = true
  ) throws {
    let file = try FileDescriptor.open(
      path, .readWrite, options: [.create, .closeOnExec], permissions: .ownerReadWrite)
    defer { try? file.close() }
    if try !isReused || !isWhole(file, blockCount) { try fill(file, blockCount) }
    guard fdatasync(file.rawValue) == 0 else { throw Errno(rawValue: errno) }
    if isCached {
      try readWhole(file, blockCount)
    } else {
      posix_fadvise(file.rawValue, 0, 0, POSIX_FADV_DONTNEED)
    }
  }

  /// Makes an empty file.
  public static func makeEmpty(_ path: FilePath) throws {
    let file = try FileDescriptor.open(
      path, .readWrite, options: [.create, .truncate, .closeOnExec],
      permissions: .ownerReadWrite)
    guard fdatasync(file.rawValue) == 0 else { throw Errno(rawValue: errno) }
    try file.close()
  }

  /// Whether files there can be opened for direct IO.
  public static func takesDirectIO(_ path: FilePath) -> Bool {
    let options = FileDescriptor.OpenOptions.directIO
    guard let file = try? FileDescriptor.open(path, .readOnly, options: options) else {
      return false
    }
    try? file.close()
    return true
  }

  private static func isWhole(_ file: FileDescriptor, _ blockCount: Int64) throws -> Bool {
    let blockSize = Int64(Job.blockSize)
    guard try file.seek(offset: 0, from: .end) == blockCount * blockSize else { return false }
    var chunk = [UInt64](repeating: 0, count: 1)
    for block in [0, 1, blockCount / 2, blockCount - 1] {
      _ = try unsafe chunk.withUnsafeMutableBytes { memory in
        try unsafe file.read(fromAbsoluteOffset: block * blockSize, into: memory)
      }
      if chunk[0] != bench_pattern(block) { return false }
    }
    return true
  }

  /// Block by block: larger writes would leave large folios in the page cache, in which ext4 walks
  /// from the first block to the one that is written, and every engine would measure that walk.
  private static func fill(_ file: FileDescriptor, _ blockCount: Int64) throws {
    guard ftruncate(file.rawValue, 0) == 0 else { throw Errno(rawValue: errno) }
    var words = [UInt64](repeating: 0x5A5A_5A5A, count: Job.blockSize / MemoryLayout<UInt64>.size)
    for block in 0..<blockCount {
      words[0] = bench_pattern(block)
      let offset = block * Int64(Job.blockSize)
      _ = try unsafe words.withUnsafeBytes { bytes in
        try unsafe file.writeAll(toAbsoluteOffset: offset, bytes)
      }
    }
  }

  private static func readWhole(_ file: FileDescriptor, _ blockCount: Int64) throws {
    var chunk = [UInt8](repeating: 0, count: 256 * Job.blockSize)
    var offset: Int64 = 0
    while offset < blockCount * Int64(Job.blockSize) {
      let count = try unsafe chunk.withUnsafeMutableBytes { memory in
        try unsafe file.read(fromAbsoluteOffset: offset, into: memory)
      }
      guard count > 0 else { throw Errno.ioError }
      offset += Int64(count)
    }
  }
}
