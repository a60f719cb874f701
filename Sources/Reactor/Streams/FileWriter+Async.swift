public import PosixAIO
public import SystemPackage

extension FileWriter {
  /// Accepts a copy of bytes. Waits for room first if there is none.
  ///
  /// - Parameter bytes: The bytes to copy. More bytes than the buffer holds are accepted once it is
  ///   empty.
  /// - Throws: The writer's error; `EBADF` after ``close(durably:_:)``; `ECANCELED` in a cancelled
  ///   task that has to wait. None of the bytes were accepted then.
  nonisolated(nonsending) public func write(
    _ bytes: some Collection<UInt8>
  ) async throws(FileError) {
    try await makeRoom(bytes.count)
    try accept(bytes)
  }

  /// Accepts a buffer's valid bytes. Waits for room first if there is none; see
  /// ``write(_:)-(IOBuffer)``.
  ///
  /// - Throws: As for other bytes. The buffer is lost then.
  nonisolated(nonsending) public func write(
    _ buffer: consuming IOBuffer
  ) async throws(FileError) {
    try await makeRoom(buffer.count)
    try accept(buffer)
  }

  /// Waits until all bytes accepted so far are written; see ``flush(durably:_:)``.
  nonisolated(nonsending) public func flush(durably: Bool = false) async throws(FileError) {
    try core.checkUse(durably ? .dataSync : .write, file.path)
    let pending = Promise<Void, FileError>(on: core)
    flush(durably: durably) { pending.finish($0) }
    try await pending.value(cancel: {})
  }

  /// Writes the accepted bytes and closes the file, also in a cancelled task; see
  /// ``close(durably:_:)``.
  nonisolated(nonsending) public func close(durably: Bool = false) async throws(FileError) {
    try await core.closing { close(durably: durably, $0) }
  }

  /// Continues in another file; see ``reopen(_:options:permissions:_:)``.
  nonisolated(nonsending) public func reopen(
    _ path: FilePath, options: FileDescriptor.OpenOptions = [.create, .append],
    permissions: FilePermissions = File.defaultPermissions
  ) async throws(FileError) {
    try await core.outcome(.open, path) { done in
      reopen(path, options: options, permissions: permissions, done)
    }
  }

  /// Waits until there is room, or until a write would fail at once.
  nonisolated(nonsending) private func makeRoom(_ byteCount: Int) async throws(FileError) {
    try core.checkUse(.write, file.path)
    // Another writer may take the room before the task continues.
    while isOpen, !hasRoom(for: byteCount) {
      let pending = Promise<Void, FileError>(on: core)
      guard !Task.isCancelled else {
        throw FileError(operation: .write, path: file.path, errno: .canceled)
      }
      let waiter = addRoomWaiter(byteCount) { pending.finish($0) }
      try await pending.value(cancel: { self.cancel(waiter) })
    }
  }

  private func accept(_ bytes: some Collection<UInt8>) throws(FileError) {
    do throws(Errno) {
      try write(bytes)
    } catch {
      throw failure ?? FileError(operation: .write, path: file.path, errno: error)
    }
  }

  private func accept(_ buffer: consuming IOBuffer) throws(FileError) {
    do throws(Errno) {
      try write(buffer)
    } catch {
      throw failure ?? FileError(operation: .write, path: file.path, errno: error)
    }
  }
}

extension File {
  /// Sends the file's bytes to a connection; see ``send(_:to:configuration:_:)``. Cancelling the
  /// task stops it.
  ///
  /// - Returns: The number of bytes that the kernel took.
  @discardableResult
  nonisolated(nonsending) public func send(
    _ range: Range<Int64>? = nil, to connection: Connection,
    configuration: FileReader.Configuration = FileReader.Configuration()
  ) async throws(PumpError) -> Int64 {
    try checkPump()
    let pending = Promise<Int64, PumpError>(on: core)
    let pump = send(range, to: connection, configuration: configuration) { pending.finish($0) }
    if Task.isCancelled { pump.cancel() }
    return try await pending.value(cancel: pump.cancel)
  }

  /// Writes a connection's input to the file; see
  /// ``receive(from:byteCount:at:durably:configuration:_:)``. Cancelling the task stops it.
  ///
  /// - Returns: The number of bytes written to the file.
  @discardableResult
  nonisolated(nonsending) public func receive(
    from connection: Connection, byteCount: Int64? = nil, at offset: Int64 = 0,
    durably: Bool = false, configuration: FileWriter.Configuration = FileWriter.Configuration()
  ) async throws(PumpError) -> Int64 {
    try checkPump()
    let pending = Promise<Int64, PumpError>(on: core)
    let pump = receive(
      from: connection, byteCount: byteCount, at: offset, durably: durably,
      configuration: configuration
    ) { pending.finish($0) }
    if Task.isCancelled { pump.cancel() }
    return try await pending.value(cancel: pump.cancel)
  }

  private func checkPump() throws(PumpError) {
    do throws(Errno) {
      try core.checkUse()
    } catch {
      // checkUse() throws only ECANCELED.
      throw PumpError(.canceled, byteCountDone: 0)
    }
  }
}
