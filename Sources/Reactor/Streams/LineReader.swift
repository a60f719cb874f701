public import PosixAIO
internal import SystemPackage

/// Reads a file line by line, with bounded memory.
///
/// A line ends at a line feed, which is not part of it. The last one need not have any; an empty
/// one behind the last line feed is none. Whoever waits when the loop is cut off gets `ECANCELED`.
@safe
public final class LineReader: @unchecked Sendable {
  /// The limits and choices of a line reader.
  public struct Configuration: Sendable {
    /// The most bytes of a line, without its end, 0 or more; 64 KiB unless set. A longer one is an
    /// error: `EMSGSIZE`, at the line's place.
    public var maximumByteCount = 64 * 1024

    /// Whether a carriage return before the line feed belongs to the line's end. False unless set.
    public var dropsCarriageReturn = false

    /// The sizes of the reader underneath.
    public var reader = FileReader.Configuration()

    /// The limits as they are unless set.
    public init() {}
  }

  /// Gets the next line, nil at the end, or why there is none.
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

  /// Makes a reader, which starts to read with the first ``next(_:)``.
  ///
  /// - Parameters:
  ///   - file: Open for reading. It stays open.
  ///   - offset: Where the first line begins, in bytes from the file's start, 0 or more.
  ///   - configuration: The limits.
  public init(_ file: File, at offset: Int64 = 0, configuration: Configuration = Configuration()) {
    require(
      configuration.maximumByteCount >= 0,
      "LineReader.Configuration: maximumByteCount is 0 or more")
    reader = FileReader(file, offset..<Int64.max, configuration: configuration.reader)
    splitter = LineSplitter(
      maximumByteCount: configuration.maximumByteCount,
      dropsCarriageReturn: configuration.dropsCarriageReturn, offset: offset)
  }

  /// Where the next line begins, in bytes from the file's start.
  public var offset: Int64 {
    core.checkAccess()
    return splitter.offset
  }

  /// Asks for the next line. Ask for one at a time.
  ///
  /// - Parameter handler: Called once, never from inside this call while the loop lives. After the
  ///   end and after an error it gets the same again, and `ECANCELED` when the loop has ended.
  public func next(_ handler: @escaping Handler) {
    if let refusal = core.refusal {
      let error = error(refusal)
      return core.complete { handler(.failure(error)) }
    }
    if let result = nextAtHand() {
      core.callNextTurn { handler(result) }
    } else {
      readOn(handler)
    }
  }

  /// Stops reading. Whoever waits gets `ECANCELED`, and so does everybody who asks from now on.
  public func cancel() {
    guard !core.hasEnded else { return }
    reader.cancel()
    if case .reading = state { state = .failed(error(.canceled)) }
  }

  /// The next line, or the end, where that takes no reading.
  func nextAtHand() -> Result<[UInt8]?, FileError>? {
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

  private func readOn(_ handler: @escaping Handler) {
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
      if let result = nextAtHand() { handler(result) } else { readOn(handler) }
    }
  }

  private func error(_ errno: Errno) -> FileError {
    FileError(operation: .read, path: path, offset: splitter.offset, errno: errno)
  }
}
