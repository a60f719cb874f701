#if NIO
  internal import NIOCore
  internal import PosixAIO
  internal import SystemPackage

  /// Reads and writes with the memory of `ByteBuffer`s.
  extension AIOFile {
    /// A buffer with bytes from the page cache, fewer than asked for only at the end of the file;
    /// nil if the page cache does not have them all.
    func readBufferFromCache(
      _ byteCount: Int, at offset: Int64, _ memory: BufferPool
    ) -> ByteBuffer? {
      var buffer = bufferToFill(byteCount, memory)
      // A mutating call would copy the memory first, since the pool has the buffer too.
      let count = unsafe buffer.withUnsafeReadableBytes { memory in
        unsafe readFromCache(into: UnsafeMutableRawBufferPointer(mutating: memory), at: offset)
      }
      guard let count else { return nil }
      buffer.moveWriterIndex(to: buffer.readerIndex + count)
      return buffer
    }

    /// Starts a read that the page cache could not serve.
    ///
    /// - Returns: Identifies it for a cancellation.
    @discardableResult
    func readBufferFromDisk(
      _ byteCount: Int, at offset: Int64, timeout: Duration? = nil, _ memory: BufferPool,
      _ done: @escaping (Result<ByteBuffer, FileError>) -> Void
    ) throws(Errno) -> RequestID {
      let buffer = bufferToFill(byteCount, memory)
      let lent = buffer.lendReadableBytes(count: 0)
      return try readFromDisk(into: lent, at: offset, timeout: timeout) { result, lent in
        _ = consume lent
        done(
          result.map { count in
            var buffer = buffer
            buffer.moveWriterIndex(to: buffer.readerIndex + count)
            return buffer
          })
      }
    }

    /// A buffer whose readable bytes must be filled before anything reads them. They begin at a
    /// page's start if the file needs that.
    private func bufferToFill(_ byteCount: Int, _ memory: BufferPool) -> ByteBuffer {
      guard isDirect else {
        var buffer = memory.take(byteCount)
        buffer.moveWriterIndex(forwardBy: byteCount)
        return buffer
      }
      var buffer = memory.take(byteCount + ByteBuffer.mostPadding)
      let padding = -buffer.address & ByteBuffer.mostPadding
      buffer.moveWriterIndex(forwardBy: padding + byteCount)
      buffer.moveReaderIndex(forwardBy: padding)
      return buffer
    }

    /// The readable bytes of a buffer as the queue takes them: lent, or copied if direct IO cannot
    /// take them where they are.
    func bytesToWrite(_ buffer: ByteBuffer) -> IOBuffer {
      // An empty one has no memory to lend.
      guard buffer.readableBytes > 0 else { return IOBuffer(capacity: 0) }
      guard isDirect, buffer.address & ByteBuffer.mostPadding != 0 else {
        return buffer.lendReadableBytes(count: buffer.readableBytes)
      }
      var copy = IOBuffer(capacity: buffer.readableBytes, alignment: IOBuffer.pageAlignment)
      copy.append(buffer.readableBytesSpan)
      return copy
    }
  }

  extension ByteBuffer {
    /// The most bytes before the start of a page.
    static let mostPadding = IOBuffer.pageAlignment - 1

    /// Where the readable bytes begin.
    fileprivate var address: Int {
      unsafe withVeryUnsafeBytes { Int(bitPattern: $0.baseAddress) } + readerIndex
    }

    /// The readable bytes as a buffer of the queue, which keeps the memory alive.
    ///
    /// - Parameter count: How many of them are valid.
    fileprivate func lendReadableBytes(count: Int) -> IOBuffer {
      let (memory, storage) = unsafe withUnsafeReadableBytesWithStorageManagement {
        memory, storage in
        unsafe (UnsafeMutableRawBufferPointer(mutating: memory), storage.takeUnretainedValue())
      }
      return unsafe IOBuffer(lending: memory, count: count, from: storage)
    }
  }
#endif
