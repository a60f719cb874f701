public import PosixAIO
public import SystemPackage

/// The async forms, for tasks on the loop's thread. Each corresponds to the callback form of its
/// name. After an error the buffer is released; the callback forms return it.
///
/// When its task is cancelled, a read, write or sync throws `ECANCELED` at once. Its buffer stays
/// alive until the kernel no longer uses it. The effect of a cancelled write on the file is
/// unknown.
extension File {
  /// Opens a file; see ``open(_:_:options:permissions:regularOnly:on:_:)``.
  nonisolated(nonsending) public static func open(
    _ path: FilePath, _ mode: FileDescriptor.AccessMode,
    options: FileDescriptor.OpenOptions = [],
    permissions: FilePermissions = File.defaultPermissions, regularOnly: Bool = false,
    on loop: EventLoop
  ) async throws(FileError) -> File {
    try await loop.core.outcome(.open, path) { done in
      open(
        path, mode, options: options, permissions: permissions, regularOnly: regularOnly,
        on: loop, done)
    }
  }

  /// Fills a buffer from its start; see ``read(into:byteCount:at:timeout:_:)``.
  ///
  /// - Returns: The buffer. It has fewer bytes than requested at the end of the file, and none
  ///   after the end.
  nonisolated(nonsending) public func read(
    into buffer: consuming IOBuffer, byteCount: Int? = nil, at offset: Int64,
    timeout: Duration? = nil
  ) async throws(FileError) -> IOBuffer {
    try core.checkStart(.read, path, at: offset)
    let promise = TransferPromise(on: core)
    let id = read(
      into: buffer, byteCount: byteCount, at: offset, timeout: timeout, promise.finish)
    return try await promise.buffer(cancelling: id, abandoning: true)
  }

  /// Writes the buffer's valid bytes; see ``write(_:at:timeout:_:)-(IOBuffer,_,_,_)``.
  ///
  /// - Returns: The buffer, unchanged.
  @discardableResult
  nonisolated(nonsending) public func write(
    _ buffer: consuming IOBuffer, at offset: Int64, timeout: Duration? = nil
  ) async throws(FileError) -> IOBuffer {
    try core.checkStart(.write, path, at: offsetOfWrite(offset))
    let promise = TransferPromise(on: core)
    let id = write(buffer, at: offset, timeout: timeout, promise.finish)
    return try await promise.buffer(cancelling: id, abandoning: true)
  }

  /// Appends the buffer's valid bytes to the file; see ``append(_:timeout:_:)``.
  ///
  /// - Returns: The buffer, unchanged.
  @discardableResult
  nonisolated(nonsending) public func append(
    _ buffer: consuming IOBuffer, timeout: Duration? = nil
  ) async throws(FileError) -> IOBuffer {
    require(queued.appends, "File: open the file with the option .append to append to it")
    return try await write(buffer, at: 0, timeout: timeout)
  }

  /// Reads into several buffers, one after the other; see ``read(into:at:timeout:_:)``.
  ///
  /// - Returns: The buffers, with their counts set.
  nonisolated(nonsending) public func read(
    into vector: consuming IOVector, at offset: Int64, timeout: Duration? = nil
  ) async throws(FileError) -> IOVector {
    try core.checkStart(.read, path, at: offset)
    let promise = Promise<IOVector, FileError>(on: core)
    let id = read(into: vector, at: offset, timeout: timeout) { promise.finish($0, $1) }
    return try await promise.value(cancelling: id, abandoning: true)
  }

  /// Writes the valid bytes of several buffers; see ``write(_:at:timeout:_:)-(IOVector,_,_,_)``.
  ///
  /// - Returns: The buffers, unchanged.
  @discardableResult
  nonisolated(nonsending) public func write(
    _ vector: consuming IOVector, at offset: Int64, timeout: Duration? = nil
  ) async throws(FileError) -> IOVector {
    try core.checkStart(.write, path, at: offsetOfWrite(offset))
    let promise = Promise<IOVector, FileError>(on: core)
    let id = write(vector, at: offset, timeout: timeout) { promise.finish($0, $1) }
    return try await promise.value(cancelling: id, abandoning: true)
  }

  /// Makes data and metadata durable; see ``sync(timeout:_:)``.
  nonisolated(nonsending) public func sync(timeout: Duration? = nil) async throws(FileError) {
    try await core.outcome(.sync, path) { promise in
      sync(timeout: timeout) { promise.finish($0) }
    }
  }

  /// Makes data durable; see ``dataSync(timeout:_:)``.
  nonisolated(nonsending) public func dataSync(timeout: Duration? = nil) async throws(FileError) {
    try await core.outcome(.dataSync, path) { promise in
      dataSync(timeout: timeout) { promise.finish($0) }
    }
  }

  /// Closes the file, even in a cancelled task; see ``close(_:)``.
  nonisolated(nonsending) public func close() async throws(FileError) {
    try await core.closing { close($0) }
  }
}
