public import PosixAIO

/// Reads the names in a directory batch by batch, so that a huge one takes bounded memory.
///
/// A batch that is being read is delivered, kept or not; when the loop is cut off, its handler gets
/// `ECANCELED`. Dropped, the reader closes what it has opened.
@safe
public final class DirectoryReader: @unchecked Sendable {
  /// The entries of one batch, unless another number is asked for.
  public static let defaultBatchCount = 512

  private enum State {
    case unopened
    case idle(DirectoryStream)
    case reading
  }

  let directory: Directory
  private let batchCount: Int
  private var state = State.unopened

  init(_ directory: Directory, batchCount: Int) {
    require(batchCount > 0, "Directory: a batch has 1 entry or more")
    self.directory = directory
    self.batchCount = batchCount
  }

  /// Reads the next batch on a helper thread. Wraps `readdir(3)`.
  ///
  /// One batch is read at a time: ask again when the handler was called.
  ///
  /// - Parameter handler: Gets the entries, without `.` and `..`, in no order; none at the end. A
  ///   name that comes or goes while the directory is read may be among them or not.
  public func next(_ handler: @escaping (Result<[Directory.Entry], FileError>) -> Void) {
    if let refusal = directory.core.refusal {
      return directory.core.refuse(.list, directory.path, refusal, handler)
    }
    let opened: DirectoryStream?
    switch state {
    case .unopened: opened = nil
    case .idle(let stream): opened = stream
    case .reading:
      trap("DirectoryReader: wait for the batch before asking for the next")
    }
    state = .reading
    let (batchCount, path) = (batchCount, directory.path)
    directory.offload(as: .list, path) { (descriptor) throws(FileError) in
      let stream: DirectoryStream
      if let opened { stream = opened } else { stream = try .init(descriptor, path: path) }
      return (stream, try stream.next(batchCount))
    } _: { [self] result in
      switch result {
      case .success(let (stream, entries)):
        state = .idle(stream)
        handler(.success(entries))
      case .failure(let error):
        state = opened.map { .idle($0) } ?? .unopened
        handler(.failure(error))
      }
    }
  }
}
