import PosixAIO
import ProgramSupport
import Reactor
import SystemPackage

/// The file under load: a heading that identifies it as aio-stress's, followed by the blocks.
final class StressFile {
  /// The size of the heading in bytes. It is also the alignment of the first block, which suffices
  /// for direct IO on every common disk.
  static let headingByteCount = 4096
  static let heading = """
    aio-stress file, format 1
    This file belongs to aio-stress, which overwrites it without asking.

    """
  /// The size of the pieces that are written and read before and after the load, in bytes.
  private static let pieceByteCount = 1 << 20

  let path: FilePath
  let format: BlockFormat
  let blockCount: Int
  /// Whether this run created the file.
  private(set) var isNew = false

  private let isDirect: Bool
  private let loop: EventLoop
  private var opened: File?

  init(_ options: StressOptions, format: BlockFormat, on loop: EventLoop) {
    path = FilePath(options.file)
    blockCount = options.blockCount
    isDirect = options.direct
    self.format = format
    self.loop = loop
  }

  /// The open file, between ``prepare(overwriting:_:)`` and ``close()``.
  var file: File {
    guard let opened else { trap("StressFile: call prepare first") }
    return opened
  }

  func offset(of block: Int) -> Int64 {
    Int64(Self.headingByteCount) + Int64(block) * Int64(format.blockByteCount)
  }

  // MARK: - Before the load

  /// Opens or creates the file, and fills it with the first version of each block.
  ///
  /// - Parameter progress: Called with the number of blocks filled so far.
  nonisolated(nonsending) func prepare(
    overwriting: Bool, _ progress: (Int) -> Void
  ) async throws {
    let file = try await openOrMake()
    opened = file
    if !isNew { try await checkOwnership(of: file, overwriting: overwriting) }
    guard try await file.tryLock(.exclusive) else {
      throw StartFailure("\"\(path)\" is in use by another process")
    }
    try await file.truncate(to: 0)
    try await fill(file, progress)
    try await file.sync()
  }

  nonisolated(nonsending) private func openOrMake() async throws -> File {
    do {
      return try await open([])
    } catch  where error.errno == .noSuchFileOrDirectory {
      isNew = true
    } catch {
      throw startFailure(error)
    }
    do {
      return try await open([.create, .exclusiveCreate])
    } catch {
      isNew = false
      // If the file system refuses only direct IO, it has created the name by now.
      if isDirect, error.errno == .invalidArgument { try await remove() }
      throw startFailure(error)
    }
  }

  nonisolated(nonsending) private func open(
    _ options: FileDescriptor.OpenOptions
  ) async throws(FileError) -> File {
    // Opening a pipe must not wait for its other end.
    var options = options.union(.nonBlocking)
    if isDirect { options.insert(.directIO) }
    return try await File.open(path, .readWrite, options: options, on: loop)
  }

  private func startFailure(_ error: FileError) -> StartFailure {
    guard isDirect, error.errno == .invalidArgument else { return StartFailure("\(error)") }
    return StartFailure("--direct: the file system of \"\(path)\" does not support direct IO")
  }

  nonisolated(nonsending) private func checkOwnership(
    of file: File, overwriting: Bool
  ) async throws {
    guard file.openingStatus.kind == .regular else {
      throw StartFailure("\"\(path)\" is not a regular file")
    }
    guard !overwriting else { return }
    guard try await hasHeading(file) else {
      throw StartFailure(
        "\"\(path)\" was not created by aio-stress; --overwrite uses it anyway")
    }
  }

  nonisolated(nonsending) private func hasHeading(_ file: File) async throws -> Bool {
    let buffer = try await file.read(into: IOBuffer(capacity: Self.headingByteCount), at: 0)
    return Array(buffer).starts(with: Self.heading.utf8)
  }

  nonisolated(nonsending) private func fill(_ file: File, _ progress: (Int) -> Void) async throws {
    var heading = IOBuffer(capacity: Self.headingByteCount)
    heading.append(contentsOf: Self.heading.utf8)
    heading.append(repeating: 0, count: heading.freeCapacity)
    try await write(heading, to: file, at: 0)
    for first in stride(from: 0, to: blockCount, by: blocksPerPiece) {
      let blocks = first..<min(first + blocksPerPiece, blockCount)
      var piece = IOBuffer(
        capacity: blocks.count * format.blockByteCount, alignment: IOBuffer.pageAlignment)
      // Every byte is written before anything reads it.
      unsafe piece.setCount(piece.capacity)
      piece.withMutableBytes { bytes in
        for block in blocks {
          format.fill(
            &bytes, from: (block - first) * format.blockByteCount, offset: offset(of: block),
            version: 0)
        }
      }
      try await write(piece, to: file, at: offset(of: first))
      progress(blocks.upperBound)
    }
  }

  nonisolated(nonsending) private func write(
    _ buffer: consuming IOBuffer, to file: File, at offset: Int64
  ) async throws {
    do {
      try await file.write(buffer, at: offset)
    } catch  where isDirect && error.errno == .invalidArgument {
      throw StartFailure(
        "--direct: the disk of \"\(path)\" does not take blocks of \(format.blockByteCount) bytes"
      )
    } catch {
      throw error
    }
  }

  private var blocksPerPiece: Int { max(1, Self.pieceByteCount / format.blockByteCount) }

  // MARK: - After the load

  /// Syncs the file, closes it, which waits until the kernel is done with it, and opens it again
  /// with an empty page cache.
  nonisolated(nonsending) func reopen() async throws {
    try await file.sync()
    try await close()
    let file = try await open([])
    opened = file
    let (found, right) = (file.openingStatus.byteCount, offset(of: blockCount))
    guard found == right else {
      throw StartFailure("the file has \(found) bytes instead of \(right)")
    }
    try await file.advise(.dontNeed)
    guard try await hasHeading(file) else { throw StartFailure("the heading is damaged") }
  }

  /// Reads all blocks.
  ///
  /// - Parameter check: Called with a block's number, a piece of the file, and the index in the
  ///   piece at which the block starts.
  nonisolated(nonsending) func readAll(_ check: (Int, RawSpan, Int) -> Void) async throws {
    for first in stride(from: 0, to: blockCount, by: blocksPerPiece) {
      let blocks = first..<min(first + blocksPerPiece, blockCount)
      let piece = try await read(blocks)
      piece.withBytes { bytes in
        for block in blocks { check(block, bytes, (block - first) * format.blockByteCount) }
      }
    }
  }

  nonisolated(nonsending) private func read(_ blocks: Range<Int>) async throws -> IOBuffer {
    let byteCount = blocks.count * format.blockByteCount
    let offset = offset(of: blocks.lowerBound)
    let piece = IOBuffer(capacity: byteCount, alignment: IOBuffer.pageAlignment)
    let filled = try await file.read(into: piece, at: offset)
    guard filled.count == byteCount else {
      throw StartFailure(
        "the file has only \(filled.count) of \(byteCount) bytes at offset \(offset)")
    }
    return filled
  }

  nonisolated(nonsending) func close() async throws {
    guard let file = opened.take() else { return }
    try await file.close()
  }

  nonisolated(nonsending) func remove() async throws {
    try await File.remove(path, on: loop)
  }
}
