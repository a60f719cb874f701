public import PosixAIO
internal import SystemPackage

extension FileReader {
  /// Waits for the next chunk; see ``next(_:)``. Cancelling the task cancels the reader.
  nonisolated(nonsending) public func next() async throws(FileError) -> IOBuffer? {
    try file.core.checkUse(.read, file.path)
    let pending = Promise<IOBuffer?, FileError>(on: file.core)
    if Task.isCancelled { cancel() }
    next { pending.finish($0) }
    return try await pending.value(cancel: cancel)
  }
}

extension LineReader {
  /// Waits for the next line; see ``next(_:)``. Cancelling the task cancels the reader.
  nonisolated(nonsending) public func next() async throws(FileError) -> [UInt8]? {
    try core.checkUse(.read, path)
    if Task.isCancelled { cancel() }
    // Most lines are already buffered and need not wait for a turn of the loop.
    if let result = nextIfBuffered() { return try result.get() }
    let pending = Promise<[UInt8]?, FileError>(on: core)
    next { pending.finish($0) }
    return try await pending.value(cancel: cancel)
  }
}

/// A piece of a file.
@safe
public final class FileChunk {
  /// The chunk's start, in bytes from the file's start.
  public let offset: Int64

  private var buffer: IOBuffer

  init(_ buffer: consuming IOBuffer, offset: Int64) {
    self.buffer = buffer
    self.offset = offset
  }

  /// The number of bytes: 1 or more; 0 after ``take()``.
  public var byteCount: Int { buffer.count }

  /// Calls `body` with the bytes, which are not copied.
  ///
  /// - Parameter body: Gets the bytes, valid until it returns.
  /// - Returns: The value that `body` returns.
  /// - Throws: The error that `body` throws.
  public func withBytes<Failure: Error, Result: ~Copyable>(
    _ body: (RawSpan) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    try buffer.withBytes(body)
  }

  /// As ``withBytes(_:)``, but with a subscript for each byte.
  public func withSpan<Failure: Error, Result: ~Copyable>(
    _ body: (Span<UInt8>) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    try buffer.withSpan(body)
  }

  /// Moves the bytes out, to be sent or written without a copy. The chunk is empty afterwards.
  ///
  /// - Returns: The bytes; an empty buffer the second time.
  public func take() -> IOBuffer {
    var taken = IOBuffer(capacity: 0)
    swap(&taken, &buffer)
    return taken
  }
}

/// The chunks of a file; see ``File/chunks(_:configuration:)``.
public struct FileChunks: AsyncSequence, Sendable {
  fileprivate let file: File
  fileprivate let range: Range<Int64>?
  fileprivate let configuration: FileReader.Configuration

  /// Reads the chunks.
  public struct AsyncIterator: AsyncIteratorProtocol {
    fileprivate let reader: FileReader
    fileprivate var last: FileChunk?

    /// The next chunk; nil at the end. Reuses the memory of the previous chunk if you kept no
    /// reference to it.
    ///
    /// - Throws: As ``FileReader/next(_:)``.
    public mutating func next(
      isolation actor: isolated (any Actor)?
    ) async throws(FileError) -> FileChunk? {
      try await nextChunk()
    }

    /// As ``next(isolation:)``, where the caller runs.
    nonisolated(nonsending) public mutating func next() async throws(FileError) -> FileChunk? {
      try await nextChunk()
    }

    nonisolated(nonsending) private mutating func nextChunk() async throws(FileError) -> FileChunk?
    {
      if isKnownUniquelyReferenced(&last), let last { reader.recycle(last.take()) }
      last = nil
      let offset = reader.offset
      guard let buffer = try await reader.next() else { return nil }
      let chunk = FileChunk(buffer, offset: offset)
      last = chunk
      return chunk
    }
  }

  /// Starts from the beginning.
  public func makeAsyncIterator() -> AsyncIterator {
    AsyncIterator(reader: FileReader(file, range, configuration: configuration))
  }
}

/// The lines of a file; see ``File/lines(at:configuration:)``.
public struct FileLines: AsyncSequence, Sendable {
  fileprivate let file: File
  fileprivate let offset: Int64
  fileprivate let configuration: LineReader.Configuration

  /// Reads the lines.
  public struct AsyncIterator: AsyncIteratorProtocol, Sendable {
    fileprivate let reader: LineReader

    /// The next line; nil at the end.
    ///
    /// - Throws: As ``LineReader/next(_:)``.
    public mutating func next(
      isolation actor: isolated (any Actor)?
    ) async throws(FileError) -> String? {
      try await reader.next().map { String(decoding: $0, as: UTF8.self) }
    }

    /// As ``next(isolation:)``, where the caller runs.
    nonisolated(nonsending) public mutating func next() async throws(FileError) -> String? {
      try await reader.next().map { String(decoding: $0, as: UTF8.self) }
    }
  }

  /// Starts from the beginning.
  public func makeAsyncIterator() -> AsyncIterator {
    AsyncIterator(reader: LineReader(file, at: offset, configuration: configuration))
  }
}

extension File {
  /// The file's bytes in chunks, read ahead: `for try await chunk in file.chunks()`.
  ///
  /// A cancelled task gets `ECANCELED`.
  ///
  /// - Parameters:
  ///   - range: The range in bytes from the file's start; nil reads all of it.
  ///   - configuration: The sizes of the reader.
  public func chunks(
    _ range: Range<Int64>? = nil,
    configuration: FileReader.Configuration = FileReader.Configuration()
  ) -> FileChunks {
    FileChunks(file: self, range: range, configuration: configuration)
  }

  /// The file's lines without their line ends: `for try await line in file.lines()`.
  ///
  /// Invalid UTF-8 becomes replacement characters; ``LineReader`` gives the bytes unchanged. A
  /// cancelled task gets `ECANCELED`.
  ///
  /// - Parameters:
  ///   - offset: The start of the first line, in bytes from the file's start, 0 or more.
  ///   - configuration: The limits of the reader.
  public func lines(
    at offset: Int64 = 0, configuration: LineReader.Configuration = LineReader.Configuration()
  ) -> FileLines {
    FileLines(file: self, offset: offset, configuration: configuration)
  }
}
