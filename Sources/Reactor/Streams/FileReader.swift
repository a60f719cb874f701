public import PosixAIO
internal import SystemPackage

/// Reads a file sequentially, ahead of its user.
///
/// ```swift
/// let reader = FileReader(file)
/// func step() {
///   reader.next { result in
///     guard case .success(let chunk?) = consume result else { return }  // the end, or an error
///     …
///     step()
///   }
/// }
/// ```
///
/// Chunks come in order without gaps. While ``next(_:)`` is called, up to
/// ``Configuration/chunkCount`` chunks are in memory or being read; then the reader waits, so a
/// slow user holds no more than that. The file stays open. If you drop the reader while nothing
/// waits for a chunk, it frees its chunks. A waiting handler gets `ECANCELED` when the loop is cut
/// off.
///
/// The reader ends at the file's end at that time: it reads on in a file that grows, and ends
/// earlier in one that is truncated. It delivers only bytes that the file holds.
@safe
public final class FileReader: @unchecked Sendable {
  /// The sizes of a reader.
  public struct Configuration: Sendable {
    /// The bytes of a chunk, 1 or more; the default is 128 KiB. Per byte, 8 KiB chunks cost four
    /// times as much, and 1 MiB chunks hardly less. Only the last chunk may be shorter, and those
    /// around a place where the file changed meanwhile. A chunk's memory is rounded up to a power
    /// of two, at least a page.
    public var chunkByteCount = 128 * 1024

    /// The most chunks read ahead, 1 or more; the default is 2. The kernel also reads ahead from
    /// the disk, so more chunks gain little.
    public var chunkCount = 2

    /// Creates the default configuration.
    public init() {}

    func check() {
      require(
        chunkByteCount > 0 && chunkCount > 0,
        "FileReader.Configuration: chunkByteCount and chunkCount must be 1 or more")
    }
  }

  /// Called with the next chunk, nil at the end, or an error.
  public typealias Handler = (consuming Result<IOBuffer?, FileError>) -> Void

  /// A read in progress, or its result.
  private final class Chunk {
    enum State {
      case reading(RequestID?)
      case read(MoveBox<IOBuffer>, byteCount: Int)
      case failed(FileError)
    }

    let offset: Int64
    let byteCount: Int
    var state = State.reading(nil)

    init(offset: Int64, byteCount: Int) {
      self.offset = offset
      self.byteCount = byteCount
    }
  }

  private enum State {
    case reading
    case ended
    case failed(FileError)
  }

  /// The bytes to read at the expected end, to check for more.
  private static let probeByteCount = 4096

  /// The file that is read.
  public let file: File

  /// The start of the next chunk, in bytes from the file's start: all bytes before it were
  /// delivered.
  public var offset: Int64 {
    file.core.checkAccess()
    return nextOffset
  }

  private var nextOffset: Int64
  private let configuration: Configuration
  private let end: Int64
  /// The file's end as far as is known. After it, one piece is read at a time.
  private var knownEnd: Int64
  private var readOffset: Int64
  private var state = State.reading
  private var chunks: [Chunk] = []
  private var waiting: Handler?

  /// Creates a reader. It starts reading at the first ``next(_:)``.
  ///
  /// - Parameters:
  ///   - file: The file, open for reading.
  ///   - range: The range in bytes from the file's start; nil reads all of it. It may extend beyond
  ///     the file's end.
  ///   - configuration: The sizes of the reader.
  public init(
    _ file: File, _ range: Range<Int64>? = nil, configuration: Configuration = Configuration()
  ) {
    configuration.check()
    require((range?.lowerBound ?? 0) >= 0, "FileReader: an offset must be 0 or more")
    self.file = file
    self.configuration = configuration
    nextOffset = range?.lowerBound ?? 0
    readOffset = nextOffset
    end = range?.upperBound ?? .max
    knownEnd = min(end, file.openingStatus.byteCount)
  }

  /// Requests the next chunk. Ask for one at a time; a second request while one waits traps.
  ///
  /// - Parameter handler: Called once, and never inside this call while the loop lives; possibly
  ///   later in the same turn. After the end or an error, further calls give the same result, and
  ///   `ECANCELED` after the loop's end.
  public func next(_ handler: @escaping Handler) {
    if let refusal = file.core.refusal {
      return file.core.complete { [self] in handler(.failure(error(refusal, at: nextOffset))) }
    }
    require(waiting == nil, "FileReader: wait for a chunk before requesting the next")
    waiting = handler
    readAhead()
    let isReady: Bool
    switch (state, chunks.first?.state) {
    case (.reading, .reading): isReady = false
    default: isReady = true
    }
    if isReady { file.core.callNextTurn { [self] in deliver() } }
  }

  /// Returns a chunk that is no longer needed. Its memory is reused for a chunk of this reader or
  /// of another reader of the loop.
  ///
  /// - Parameter buffer: Moves in. It is freed if the pool is full, and when this is not called on
  ///   the loop's thread.
  public func recycle(_ buffer: consuming IOBuffer) {
    guard file.core.thread.isCurrent else { return }
    file.core.chunks.give(buffer)
  }

  /// Stops reading. A waiting handler gets `ECANCELED`, and so does every later ``next(_:)``. Does
  /// nothing after the end or an error.
  public func cancel() {
    guard !file.core.hasEnded else { return }
    file.core.checkThread()
    guard case .reading = state else { return }
    state = .failed(error(.canceled, at: nextOffset))
    dropChunks()
    if waiting != nil { file.core.callNextTurn { [self] in deliver() } }
  }

  // MARK: - Reading

  private func readAhead() {
    guard case .reading = state else { return }
    while chunks.count < configuration.chunkCount, readOffset < end,
      readOffset < knownEnd || chunks.isEmpty
    {
      let limit = readOffset < knownEnd ? knownEnd : probeEnd
      let byteCount = Int(min(Int64(configuration.chunkByteCount), min(limit, end) - readOffset))
      guard read(byteCount) else { return }
    }
    if chunks.isEmpty, readOffset >= end { state = .ended }
  }

  /// The end of the next read beyond the known end.
  private var probeEnd: Int64 {
    let (sum, overflows) = readOffset.addingReportingOverflow(Int64(Self.probeByteCount))
    return overflows ? .max : sum
  }

  /// - Returns: False if the queue has no room; reads in progress then make some.
  private func read(_ byteCount: Int) -> Bool {
    let buffer = file.core.chunks.take(byteCount)
    guard chunks.isEmpty || file.core.queue.hasRoom(forBytes: buffer.capacity) else {
      file.core.chunks.give(buffer)
      return false
    }
    let chunk = Chunk(offset: readOffset, byteCount: byteCount)
    let request = file.read(into: buffer, byteCount: byteCount, at: readOffset) {
      [self] result, buffer in finish(chunk, result, buffer)
    }
    chunk.state = .reading(request)
    chunks.append(chunk)
    readOffset += Int64(byteCount)
    return true
  }

  private func finish(
    _ chunk: Chunk, _ result: Result<Int, FileError>, _ buffer: consuming IOBuffer
  ) {
    // The chunk may have been dropped meanwhile.
    let isFirst = chunks.first === chunk
    switch result {
    case .success(let byteCount):
      if isFirst, case .reading = state, let handler = waiting {
        return give(buffer, byteCount, of: chunk, to: handler)
      }
      chunk.state = .read(MoveBox(buffer), byteCount: byteCount)
    case .failure(let error):
      chunk.state = .failed(error)
      if isFirst { deliver() }
    }
  }

  /// Gives the first chunk to the waiting handler, if both exist.
  private func deliver() {
    guard let handler = waiting else { return }
    switch state {
    case .ended: complete(handler, .success(nil))
    case .failed(let error): complete(handler, .failure(error))
    case .reading:
      guard let chunk = chunks.first else { return }
      switch chunk.state {
      case .reading: return
      case .failed(let error):
        state = .failed(error)
        dropChunks()
        complete(handler, .failure(error))
      case .read(let buffer, let byteCount):
        give(buffer.take(), byteCount, of: chunk, to: handler)
      }
    }
  }

  private func give(
    _ buffer: consuming IOBuffer?, _ byteCount: Int, of chunk: Chunk, to handler: Handler
  ) {
    chunks.removeFirst()
    account(for: chunk, byteCount)
    if byteCount == 0 {
      state = .ended
      complete(handler, .success(nil))
    } else {
      readAhead()
      complete(handler, .success(buffer))
    }
  }

  private func complete(
    _ handler: Handler, _ result: consuming Result<IOBuffer?, FileError>
  ) {
    waiting = nil
    handler(result)
  }

  private func account(for chunk: Chunk, _ byteCount: Int) {
    nextOffset = chunk.offset + Int64(byteCount)
    if byteCount < chunk.byteCount {
      // The file became shorter, or returns little at a time: the bytes read ahead may not be the
      // ones that come next.
      dropChunks()
      readOffset = nextOffset
      knownEnd = nextOffset
    } else if chunk.offset >= knownEnd {
      // The file continues beyond its expected end.
      knownEnd = end
    }
  }

  private func dropChunks() {
    for case .reading(let request?) in chunks.map(\.state) {
      file.core.queue.cancel(request)
    }
    chunks = []
  }

  private func error(_ errno: Errno, at offset: Int64) -> FileError {
    FileError(operation: .read, path: file.path, offset: offset, errno: errno)
  }
}
