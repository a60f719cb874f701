public import PosixAIO
internal import SystemPackage

extension File {
  /// Fills a buffer from the file. As the callback form, for a task on the loop's thread.
  ///
  /// A cancelled task gets `ECANCELED` at once; its buffer stays alive until the kernel is done with
  /// it.
  ///
  /// - Parameters:
  ///   - buffer: Moves in; comes back, `count` set to the bytes read.
  ///   - byteCount: The most bytes to read, at most the buffer's capacity, which is the default.
  ///   - offset: Where in the file, in bytes from its start, 0 or more.
  ///   - timeout: The longest to wait, more than 0; then `ETIMEDOUT` is thrown.
  /// - Returns: The buffer, with fewer bytes than asked at the end of the file, none behind it.
  /// - Throws: The reason, also where nothing was started, as the callback form. The buffer is gone.
  nonisolated(nonsending) public func read(
    into buffer: consuming IOBuffer, byteCount: Int? = nil, at offset: Int64,
    timeout: Duration? = nil
  ) async throws(FileError) -> IOBuffer {
    let pending = Pending<IOBuffer, FileError>(on: loop)
    let id: RequestID
    do throws(Errno) {
      guard !Task.isCancelled else { throw .canceled }
      id = try read(into: buffer, byteCount: byteCount, at: offset, timeout: timeout) {
        result, buffer in
        switch result {
        case .success: pending.finish(.success(buffer))
        case .failure(let error): pending.finish(.failure(error))
        }
      }
    } catch {
      throw FileError(operation: .read, path: path, offset: offset, errno: error)
    }
    return try await pending.value(cancelling: id, abandoning: true)
  }
}
