public import PosixAIO
public import SystemPackage

/// Each as the callback form of its name, for a task on the loop's thread. After an error the
/// buffer is gone; the callback forms give it back.
///
/// A task that is cancelled gets `ECANCELED` at once from a read, write or sync, whose buffer stays
/// alive until the kernel is done with it; what a write does to the file is then unknown.
extension File {
  /// Opens a file; see ``open(_:_:options:permissions:on:_:)``.
  nonisolated(nonsending) public static func open(
    _ path: FilePath, _ mode: FileDescriptor.AccessMode,
    options: FileDescriptor.OpenOptions = [],
    permissions: FilePermissions = File.defaultPermissions,
    on loop: EventLoop
  ) async throws(FileError) -> File {
    try await loop.core.outcome(.open, path) { done in
      open(path, mode, options: options, permissions: permissions, on: loop, done)
    }
  }

  /// Fills a buffer from its start; see ``read(into:byteCount:at:timeout:_:)``.
  ///
  /// - Returns: The buffer, with fewer bytes than asked at the end of the file, none after it.
  nonisolated(nonsending) public func read(
    into buffer: consuming IOBuffer, byteCount: Int? = nil, at offset: Int64,
    timeout: Duration? = nil
  ) async throws(FileError) -> IOBuffer {
    try core.checkStart(.read, path, at: offset)
    let pending = PendingTransfer(on: core)
    let id = read(
      into: buffer, byteCount: byteCount, at: offset, timeout: timeout, pending.finish)
    return try await pending.buffer(cancelling: id, abandoning: true)
  }

  /// Writes the buffer's valid bytes; see ``write(_:at:timeout:_:)-(IOBuffer,_,_,_)``.
  ///
  /// - Returns: The buffer, unchanged.
  @discardableResult
  nonisolated(nonsending) public func write(
    _ buffer: consuming IOBuffer, at offset: Int64, timeout: Duration? = nil
  ) async throws(FileError) -> IOBuffer {
    try core.checkStart(.write, path, at: placeOfWrite(offset))
    let pending = PendingTransfer(on: core)
    let id = write(buffer, at: offset, timeout: timeout, pending.finish)
    return try await pending.buffer(cancelling: id, abandoning: true)
  }

  /// Adds the buffer's valid bytes at the file's end; see ``append(_:timeout:_:)``.
  ///
  /// - Returns: The buffer, unchanged.
  @discardableResult
  nonisolated(nonsending) public func append(
    _ buffer: consuming IOBuffer, timeout: Duration? = nil
  ) async throws(FileError) -> IOBuffer {
    require(queued.appends, "File: open the file with the option .append to append to it")
    return try await write(buffer, at: 0, timeout: timeout)
  }

  /// Fills several buffers, one after the other; see ``read(into:at:timeout:_:)``.
  ///
  /// - Returns: The buffers, whose counts say what was read.
  nonisolated(nonsending) public func read(
    into vector: consuming IOVector, at offset: Int64, timeout: Duration? = nil
  ) async throws(FileError) -> IOVector {
    try core.checkStart(.read, path, at: offset)
    let pending = Pending<IOVector, FileError>(on: core)
    let id = read(into: vector, at: offset, timeout: timeout) { pending.finish($0, $1) }
    return try await pending.value(cancelling: id, abandoning: true)
  }

  /// Writes the valid bytes of several buffers; see ``write(_:at:timeout:_:)-(IOVector,_,_,_)``.
  ///
  /// - Returns: The buffers, unchanged.
  @discardableResult
  nonisolated(nonsending) public func write(
    _ vector: consuming IOVector, at offset: Int64, timeout: Duration? = nil
  ) async throws(FileError) -> IOVector {
    try core.checkStart(.write, path, at: placeOfWrite(offset))
    let pending = Pending<IOVector, FileError>(on: core)
    let id = write(vector, at: offset, timeout: timeout) { pending.finish($0, $1) }
    return try await pending.value(cancelling: id, abandoning: true)
  }

  /// Brings data and metadata to the disk; see ``sync(timeout:_:)``.
  nonisolated(nonsending) public func sync(timeout: Duration? = nil) async throws(FileError) {
    try await core.outcome(.sync, path) { pending in
      sync(timeout: timeout) { pending.finish($0) }
    }
  }

  /// Brings data to the disk; see ``dataSync(timeout:_:)``.
  nonisolated(nonsending) public func dataSync(timeout: Duration? = nil) async throws(FileError) {
    try await core.outcome(.dataSync, path) { pending in
      dataSync(timeout: timeout) { pending.finish($0) }
    }
  }

  /// Closes the file; see ``close(_:)``. Also in a cancelled task.
  nonisolated(nonsending) public func close() async throws(FileError) {
    try await core.closing { close($0) }
  }
}
