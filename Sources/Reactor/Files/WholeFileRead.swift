internal import PosixAIO
internal import SystemPackage

/// Reads a file to its end, wherever that is by then.
///
/// The file's size is a hint: files of `/proc` report 0, and other files may grow or shrink
/// meanwhile. The end is where a read returns nothing, or fewer bytes than requested at the known
/// size.
@safe
final class WholeFileRead: FileWork, @unchecked Sendable {
  typealias Handler = (consuming Result<IOBuffer, FileError>) -> Void

  /// The size of a read after the known size.
  private static let largestPieceByteCount = 64 * 1024

  private let maximumByteCount: Int
  /// One more byte than the maximum finds a file that is too large.
  private var pieceByteCount: Int {
    min(Self.largestPieceByteCount, maximumByteCount.adding(saturating: 1))
  }
  private let closesFile: Bool
  private let handler: Handler
  /// The bytes read so far; nil until the first read has completed.
  private var whole: IOBuffer?

  init(
    _ core: LoopCore, maximumByteCount: Int, closesFile: Bool, _ handler: @escaping Handler
  ) {
    require(maximumByteCount >= 0, "File: maximumByteCount is 0 or more")
    self.maximumByteCount = maximumByteCount
    self.closesFile = closesFile
    self.handler = handler
    super.init(core)
  }

  func opened(_ result: Result<File, FileError>) {
    switch result {
    case .success(let file): start(file)
    case .failure(let error): handler(.failure(error))
    }
  }

  func start(_ file: File) {
    let known = file.openingStatus.byteCount
    guard !isCanceled else { return fail(file, .canceled, at: 0) }
    guard file.openingStatus.kind != .directory else { return fail(file, .isDirectory, at: 0) }
    guard file.openingStatus.kind == .regular else { return fail(file, .invalidArgument, at: 0) }
    guard known <= maximumByteCount else { return fail(file, .fileTooLarge, at: maximumByteCount) }
    // One more byte than expected, so that the same read finds the end.
    let byteCount =
      known == 0 ? pieceByteCount : Int(known).adding(saturating: 1)
    do throws(Errno) {
      read(file, try .allocate(byteCount), at: 0)
    } catch {
      fail(file, error, at: 0)
    }
  }

  private func read(_ file: File, _ buffer: consuming IOBuffer, at offset: Int) {
    let request = file.read(into: buffer, at: Int64(offset)) { [self] result, buffer in
      switch result {
      case .success(let count): advance(file, count, buffer, at: offset)
      case .failure(let error): finish(file, .failure(error))
      }
    }
    wait(for: request)
  }

  private func advance(_ file: File, _ count: Int, _ buffer: consuming IOBuffer, at offset: Int) {
    let end = offset + count
    guard !isCanceled else { return fail(file, .canceled, at: end) }
    guard end <= maximumByteCount else { return fail(file, .fileTooLarge, at: maximumByteCount) }
    let isFirst = whole == nil
    if isFirst, count > 0, count < buffer.capacity, count == file.openingStatus.byteCount {
      return finish(file, .success(buffer))
    }
    guard count > 0 else {
      if let whole = whole.take() { return finish(file, .success(whole)) }
      return finish(file, .success(buffer))
    }
    if isFirst {
      whole = consume buffer
      buffer = IOBuffer(capacity: pieceByteCount)
    } else {
      do throws(Errno) { try keep(buffer) } catch { return fail(file, error, at: end) }
    }
    read(file, buffer, at: end)
  }

  /// - Throws: `ENOMEM`; nothing is kept then.
  private func keep(_ piece: borrowing IOBuffer) throws(Errno) {
    guard var whole = whole.take() else { return }
    let byteCount = whole.count + piece.count
    if byteCount > whole.capacity {
      var larger = try IOBuffer.allocate(max(byteCount, 2 * whole.capacity))
      whole.withBytes { larger.append($0) }
      whole = larger
    }
    piece.withBytes { whole.append($0) }
    self.whole = consume whole
  }

  private func fail(_ file: File, _ errno: Errno, at offset: Int) {
    finish(
      file,
      .failure(
        FileError(operation: .read, path: file.path, offset: Int64(offset), errno: errno)))
  }

  private func finish(_ file: File, _ result: consuming Result<IOBuffer, FileError>) {
    commit()
    guard closesFile else { return handler(result) }
    let box = MoveBox(result)
    // Nothing was written, so closing has nothing to tell.
    file.close { [self] _ in handler(box.take()) }
  }
}
