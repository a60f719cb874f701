#if NIO
  public import NIOCore
  internal import NIOPosix
  internal import PosixAIO
  public import SystemPackage

  /// An open file of an event loop.
  @safe
  public final class LoopFile: @unchecked Sendable {
    public let eventLoop: any EventLoop
    public let path: FilePath
    let owner: LoopQueue
    let queued: AIOFile

    init(_ descriptor: SharedDescriptor, path: FilePath, _ owner: LoopQueue) {
      eventLoop = owner.eventLoop
      self.path = path
      self.owner = owner
      queued = AIOFile(descriptor, path: path, queue: owner.queue)
    }

    public func readChunk(
      fromAbsoluteOffset offset: Int64, length: Int
    ) -> EventLoopFuture<ByteBuffer> {
      guard eventLoop.inEventLoop else {
        return eventLoop.flatSubmit { [self] in
          readChunk(fromAbsoluteOffset: offset, length: length)
        }
      }
      if let buffer = readNow(fromAbsoluteOffset: offset, length: length) {
        return eventLoop.makeSucceededFuture(buffer)
      }
      return read(fromAbsoluteOffset: offset, length: length)
    }

    nonisolated(nonsending) public func readChunk(
      fromAbsoluteOffset offset: Int64, length: Int
    ) async throws -> ByteBuffer {
      if eventLoop.inEventLoop,
        let buffer = readNow(fromAbsoluteOffset: offset, length: length)
      {
        return buffer
      }
      let future: EventLoopFuture<ByteBuffer> = readChunk(
        fromAbsoluteOffset: offset, length: length)
      return try await future.get()
    }

    private func readNow(fromAbsoluteOffset offset: Int64, length: Int) -> ByteBuffer? {
      guard length > 0, owner.mayReadCached(length) else { return nil }
      var buffer = owner.memory.take(length)
      let count = unsafe buffer.withUnsafeMutableWritableBytes { memory in
        unsafe queued.readFromCache(
          into: UnsafeMutableRawBufferPointer(rebasing: memory.prefix(length)), at: offset)
      }
      guard let count else { return nil }
      buffer.moveWriterIndex(forwardBy: count)
      return buffer
    }

    private func read(fromAbsoluteOffset offset: Int64, length: Int) -> EventLoopFuture<ByteBuffer>
    {
      let promise = eventLoop.makePromise(of: ByteBuffer.self)
      var buffer = owner.memory.take(length)
      // Nothing reads the bytes before they are there.
      buffer.moveWriterIndex(forwardBy: length)
      let lent = buffer.lendReadableBytes(count: 0)
      do throws(Errno) {
        try queued.read(into: lent, at: offset) { [buffer] result, lent in
          _ = consume lent
          promise.completeWith(
            result.map { count in
              var buffer = buffer
              buffer.moveWriterIndex(to: count)
              return buffer
            }.mapError { $0 })
        }
      } catch {
        promise.fail(FileError(operation: .read, path: path, offset: offset, errno: error))
      }
      return promise.futureResult
    }

    public func write(
      contentsOf buffer: ByteBuffer, toAbsoluteOffset offset: Int64
    ) -> EventLoopFuture<Void> {
      guard eventLoop.inEventLoop else {
        return eventLoop.flatSubmit { [self] in
          write(contentsOf: buffer, toAbsoluteOffset: offset)
        }
      }
      let promise = eventLoop.makePromise(of: Void.self)
      guard buffer.readableBytes > 0 else {
        promise.succeed()
        return promise.futureResult
      }
      let lent = buffer.lendReadableBytes(count: buffer.readableBytes)
      do throws(Errno) {
        try queued.write(lent, at: offset) { result, _ in
          promise.completeWith(result.map { _ in }.mapError { $0 })
        }
      } catch {
        promise.fail(FileError(operation: .write, path: path, offset: offset, errno: error))
      }
      return promise.futureResult
    }

    public func close() -> EventLoopFuture<Void> {
      guard eventLoop.inEventLoop else { return eventLoop.flatSubmit { [self] in close() } }
      let promise = eventLoop.makePromise(of: Void.self)
      queued.close { promise.completeWith($0.mapError { $0 }) }
      return promise.futureResult
    }
  }

  extension ByteBuffer {
    /// The readable bytes as a buffer of the queue, which keeps the memory alive.
    func lendReadableBytes(count: Int) -> IOBuffer {
      let (memory, storage) = unsafe withUnsafeReadableBytesWithStorageManagement {
        memory, storage in
        unsafe (UnsafeMutableRawBufferPointer(mutating: memory), storage.takeUnretainedValue())
      }
      return unsafe IOBuffer(lending: memory, count: count, from: storage)
    }
  }
#endif
