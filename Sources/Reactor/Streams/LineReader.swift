public import PosixAIO
internal import SystemPackage

/// Reads a file line by line, with bounded memory.
///
/// A line ends at a line feed, which is not part of it. The last line may lack one; a final line
/// feed does not start another line. A waiting handler gets `ECANCELED` when the loop is cut off.
@safe
public final class LineReader: @unchecked Sendable {
  /// The configuration of a line reader.
  public struct Configuration: Sendable {
    /// The most bytes of a line, without its end, 0 or more; the default is 64 KiB. A longer line
    /// is an error: `EMSGSIZE`, at the line's offset.
    public var maximumByteCount = 64 * 1024

    /// Whether a carriage return before the line feed is part of the line's end. The default is
    /// false.
    public var dropsCarriageReturn = false

    /// The sizes of the underlying ``FileReader``.
    public var reader = FileReader.Configuration()

    /// Creates the default configuration.
    public init() {}
  }

  /// Called with the next line, nil at the end, or an error.
  public typealias Handler = (Result<[UInt8]?, FileError>) -> Void

  private enum State {
    case reading
    case ended
    case failed(FileError)
  }

  private let reader: FileReader

  var core: LoopCore { reader.file.core }
  var path: FilePath { reader.file.path }

  private var splitter: LineSplitter
  private var state = State.reading

  /// Creates a reader. It starts reading at the first ``next(_:)``.
  ///
  /// - Parameters:
  ///   - file: The file, open for reading. It stays open.
  ///   - offset: The start of the first line, in bytes from the file's start, 0 or more.
  ///   - configuration: The limits of the reader.
  public init(_ file: File, at offset: Int64 = 0, configuration: Configuration = Configuration()) {
    require(
      configuration.maximumByteCount >= 0,
      "LineReader.Configuration: maximumByteCount must be 0 or more")
    reader = FileReader(file, offset..<Int64.max, configuration: configuration.reader)
    splitter = LineSplitter(
      maximumByteCount: configuration.maximumByteCount,
      dropsCarriageReturn: configuration.dropsCarriageReturn, offset: offset)
  }

  /// The start of the next line, in bytes from the file's start.
  public var offset: Int64 {
    core.checkAccess()
    return splitter.offset
  }

  /// Requests the next line. Ask for one at a time.
  ///
  /// - Parameter handler: Called once, and never inside this call while the loop lives. After the
  ///   end or an error, further calls give the same result, and `ECANCELED` after the loop's end.
  public func next(_ handler: @escaping Handler) {
    if let refusal = core.refusal {
      let error = error(refusal)
      return core.complete { handler(.failure(error)) }
    }
    if let result = nextIfBuffered() {
      core.callNextTurn { handler(result) }
    } else {
      readMore(handler)
    }
  }

  /// Stops reading. A waiting handler gets `ECANCELED`, and so does every later ``next(_:)``. Does
  /// nothing after the end or an error.
  public func cancel() {
    guard !core.hasEnded else { return }
    reader.cancel()
    if case .reading = state { state = .failed(error(.canceled)) }
  }

  /// The next line or the end, if no reading is needed for it.
  func nextIfBuffered() -> Result<[UInt8]?, FileError>? {
    switch state {
    case .ended: return .success(nil)
    case .failed(let error): return .failure(error)
    case .reading: break
    }
    return outcome(splitter.next())
  }

  private func outcome(_ outcome: LineSplitter.Outcome) -> Result<[UInt8]?, FileError>? {
    switch outcome {
    case .line(let line): return .success(line)
    case .needsMore: return nil
    case .tooLong:
      reader.cancel()
      let error = error(.messageTooLong)
      state = .failed(error)
      return .failure(error)
    }
  }

  private func readMore(_ handler: @escaping Handler) {
    reader.next { [self] result in
      switch consume result {
      case .failure(let error):
        if case .reading = state { state = .failed(error) }
      case .success(let chunk?):
        if let former = splitter.append(chunk) { reader.recycle(former) }
      case .success(nil):
        state = .ended
        if let last = outcome(splitter.finish()) { return handler(last) }
      }
      if let result = nextIfBuffered() { handler(result) } else { readMore(handler) }
    }
  }

  private func error(_ errno: Errno) -> FileError {
    FileError(operation: .read, path: path, offset: splitter.offset, errno: errno)
  }
}
