public import PosixAIO
internal import SystemPackage

/// Reads a file from front to back, ahead of whoever uses it.
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
/// Chunks come in order and without gaps. As long as ``next(_:)`` is called, up to
/// ``Configuration/chunkCount`` chunks are in memory or on their way; then the reader waits, so a
/// slow user holds no more than that. The file stays open. Dropped while nobody waits, the reader
/// frees what it has; whoever waits when the loop is cut off gets `ECANCELED`.
///
/// The end is where the file ends by then: one that grows is read further, one that is truncated
/// ends earlier, and nothing is delivered that is not in it.
@safe
public final class FileReader: @unchecked Sendable {
  /// The sizes of a reader.
  public struct Configuration: Sendable {
    /// The bytes of one chunk, 1 or more; 128 KiB unless set: a chunk of 8 KiB costs four times as
    /// much per byte, one of 1 MiB hardly less. Only the last may be shorter, and those
    /// around a place where the file changed meanwhile. Its memory is as large as the next power of
    /// two, and a page at least.
    public var chunkByteCount = 128 * 1024

    /// The most chunks that are read ahead, 1 or more; 2 unless set. The kernel reads ahead from
    /// the disk by itself, so more brings little.
    public var chunkCount = 2

    /// The sizes as they are unless set.
    public init() {}

    func check() {
      require(
        chunkByteCount > 0 && chunkCount > 0,
        "FileReader.Configuration: chunks have 1 byte or more, and there is 1 or more of them")
    }
  }

  /// Gets the next chunk, nil at the end, or why there is none.
  public typealias Handler = (consuming Result<IOBuffer?, FileError>) -> Void

  /// One read on its way, or its outcome.
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

  /// What is read where the end is expected, to see whether it is there.
  private static let probeByteCount = 4096

  /// The file that is read.
  public let file: File

  /// Where the next chunk begins, in bytes from the file's start: all before it was delivered.
  public var offset: Int64 {
    file.core.checkAccess()
    return nextOffset
  }

  private var nextOffset: Int64
  private let configuration: Configuration
  private let end: Int64
  /// Where the file ends as far as is known. Behind it is read one piece at a time.
  private var knownEnd: Int64
  private var readOffset: Int64
  private var state = State.reading
  private var chunks: [Chunk] = []
  private var waiting: Handler?

  /// Makes a reader, which starts to read with the first ``next(_:)``.
  ///
  /// - Parameters:
  ///   - file: Open for reading.
  ///   - range: In bytes from the file's start; nil is all of it. A range may end behind the file.
  ///   - configuration: The sizes.
  public init(
    _ file: File, _ range: Range<Int64>? = nil, configuration: Configuration = Configuration()
  ) {
    configuration.check()
    require((range?.lowerBound ?? 0) >= 0, "FileReader: a place in a file is 0 or more")
    self.file = file
    self.configuration = configuration
    nextOffset = range?.lowerBound ?? 0
    readOffset = nextOffset
    end = range?.upperBound ?? .max
    knownEnd = min(end, file.openingStatus.byteCount)
  }

  /// Asks for the next chunk.
  ///
  /// - Parameter handler: Called once, in a later turn or this one, and never from inside this
  ///   call while the loop lives. After the end and after an error it gets the same again, and
  ///   `ECANCELED` when the loop has ended.
  public func next(_ handler: @escaping Handler) {
    if let refusal = file.core.refusal {
      return file.core.complete { [self] in handler(.failure(error(refusal, at: nextOffset))) }
    }
    require(waiting == nil, "FileReader: wait for the chunk before asking for the next")
    waiting = handler
    readAhead()
    let isThere: Bool
    switch (state, chunks.first?.state) {
    case (.reading, .reading): isThere = false
    default: isThere = true
    }
    if isThere { file.core.later { [self] in deliver() } }
  }

  /// Gives back a chunk that is not needed any more, whose memory is used for another one, of this
  /// reader or of another one of the loop.
  ///
  /// - Parameter buffer: Moves in. It is freed where the loop has enough of such, or is gone.
  public func recycle(_ buffer: consuming IOBuffer) {
    guard file.core.thread.isCurrent else { return }
    file.core.chunks.give(buffer)
  }

  /// Stops reading. Whoever waits gets `ECANCELED`, and so does everybody who asks from now on.
  public func cancel() {
    guard !file.core.hasEnded else { return }
    file.core.checkThread()
    guard case .reading = state else { return }
    state = .failed(error(.canceled, at: nextOffset))
    dropChunks()
    if waiting != nil { file.core.later { [self] in deliver() } }
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

  /// What is read behind the known end ends here.
  private var probeEnd: Int64 {
    let (sum, overflows) = readOffset.addingReportingOverflow(Int64(Self.probeByteCount))
    return overflows ? .max : sum
  }

  /// - Returns: False where the queue has no room, and what is under way makes some.
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
    // It may have been dropped meanwhile.
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

  /// Gives the first chunk to whoever waits, if both are there.
  private func deliver() {
    guard let handler = waiting else { return }
    switch state {
    case .ended: answer(handler, .success(nil))
    case .failed(let error): answer(handler, .failure(error))
    case .reading:
      guard let chunk = chunks.first else { return }
      switch chunk.state {
      case .reading: return
      case .failed(let error):
        state = .failed(error)
        dropChunks()
        answer(handler, .failure(error))
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
      answer(handler, .success(nil))
    } else {
      readAhead()
      answer(handler, .success(buffer))
    }
  }

  private func answer(
    _ handler: Handler, _ result: consuming Result<IOBuffer?, FileError>
  ) {
    waiting = nil
    handler(result)
  }

  private func account(for chunk: Chunk, _ byteCount: Int) {
    nextOffset = chunk.offset + Int64(byteCount)
    if byteCount < chunk.byteCount {
      // It has become shorter, or is one that gives a little at a time: what was read ahead may not
      // be what comes next.
      dropChunks()
      readOffset = nextOffset
      knownEnd = nextOffset
    } else if chunk.offset >= knownEnd {
      // It goes on where the end was thought to be.
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
