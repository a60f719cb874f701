#if NIO
  public import NIOCore
  public import PosixAIO

  extension LoopFile {
    /// The default size of a chunk: 128 KiB.
    public static let defaultChunkLength = 128 * 1024

    /// Reads a range of the file in chunks, one after the other.
    ///
    /// ```swift
    /// for try await chunk in file.readChunks() { try await channel.writeAndFlush(chunk) }
    /// ```
    ///
    /// While the caller works on a chunk that came from the disk, the next one is being read; it
    /// never takes the memory of more than two chunks. When you drop the iterator, or when the task
    /// is cancelled, reads in progress are cancelled.
    ///
    /// - Parameters:
    ///   - range: In bytes from the start of the file. By default, to the end of the file.
    ///   - chunkLength: In bytes, more than 0; other values trap.
    /// - Returns: A sequence of the chunks. All but the last have `chunkLength` bytes, none is
    ///   empty.
    public func readChunks(
      in range: Range<Int64> = 0..<Int64.max, chunkLength: Int = defaultChunkLength
    ) -> LoopFileChunks {
      require(chunkLength > 0, "LoopFile: a chunk has 1 byte or more")
      require(range.lowerBound >= 0, "LoopFile: a range of a file begins at 0 or later")
      return LoopFileChunks(file: self, range: range, chunkLength: chunkLength)
    }
  }

  /// The chunks of a range of a file: ``LoopFile/readChunks(in:chunkLength:)``. Each iterator
  /// begins at the start of the range.
  public struct LoopFileChunks: AsyncSequence, Sendable {
    fileprivate let file: LoopFile
    fileprivate let range: Range<Int64>
    fileprivate let chunkLength: Int

    /// Begins at the start of the range. Nothing is read before the first call of `next()`.
    public func makeAsyncIterator() -> AsyncIterator {
      AsyncIterator(handle: AsyncIterator.Handle(ChunkReader(self)))
    }

    /// Reads the chunks in order.
    public struct AsyncIterator: AsyncIteratorProtocol {
      /// Cancels the reads when the last copy of the iterator goes.
      fileprivate final class Handle {
        let reader: ChunkReader

        init(_ reader: ChunkReader) {
          self.reader = reader
        }

        deinit {
          let reader = reader
          if reader.file.owner.isCurrent { return reader.cancel() }
          // After the loop's end there is nothing to cancel.
          _ = reader.file.owner.calls.way.execute { reader.cancel() }
        }
      }

      fileprivate let handle: Handle

      /// Returns the next chunk, or nil at the end of the range or of the file.
      ///
      /// - Throws: As ``LoopFile/readChunk(fromAbsoluteOffset:length:timeout:)->ByteBuffer``. After
      ///   an error the sequence is at its end.
      public mutating func next(
        isolation actor: isolated (any Actor)?
      ) async throws(FileError) -> ByteBuffer? {
        try await handle.reader.next()
      }

      /// As ``next(isolation:)``, on the caller's executor.
      nonisolated(nonsending) public mutating func next() async throws(FileError) -> ByteBuffer? {
        try await handle.reader.next()
      }
    }
  }

  /// Reads chunks one after the other, and one ahead.
  ///
  /// Sendable: what changes is used on the loop only.
  @safe
  private final class ChunkReader: @unchecked Sendable {
    /// The most chunks that are being read, or wait to be taken.
    private static let slotLimit = 2

    private final class Slot: @unchecked Sendable {
      let length: Int
      let cancellation = Cancellation()
      var result: Result<ByteBuffer, FileError>?

      init(_ length: Int) {
        self.length = length
      }
    }

    let file: LoopFile
    private let end: Int64
    private let chunkLength: Int
    private var offset: Int64
    private var slots = CircularBuffer<Slot>()
    private var waiting: Completion<ByteBuffer?>?

    init(_ chunks: LoopFileChunks) {
      file = chunks.file
      chunkLength = chunks.chunkLength
      offset = chunks.range.lowerBound
      end = chunks.range.upperBound
    }

    /// Stops all reads. Those that wait for a result get `ECANCELED`.
    func cancel() {
      offset = end
      for slot in slots { slot.cancellation.cancel() }
    }

    nonisolated(nonsending) func next() async throws(FileError) -> ByteBuffer? {
      if file.owner.isCurrent, slots.isEmpty {
        guard offset < end else { return nil }
        let length = nextLength
        if let chunk = await file.cachedChunk(at: offset, length) {
          offset = chunk.readableBytes < length ? end : offset + Int64(length)
          return chunk.readableBytes > 0 ? chunk : nil
        }
      }
      return try await file.owner.outcome(FileCall(.read, file.path)) { [self] in
        startNext($0, $1)
      }
    }

    private var nextLength: Int { Int(min(Int64(chunkLength), end - offset)) }

    private func startNext(_ cancellation: Cancellation, _ done: @escaping Completion<ByteBuffer?>)
    {
      require(waiting == nil, "LoopFileChunks: wait for a chunk before requesting the next")
      cancellation.stops { [self] in cancel() }
      if slots.isEmpty { startSlot() }
      waiting = done
      deliver()
      readAhead()
    }

    private func startSlot() {
      guard offset < end else { return }
      let slot = Slot(nextLength)
      let start = offset
      offset += Int64(slot.length)
      slots.append(slot)
      file.startRead(slot.cancellation, at: start, slot.length, nil) { [self] result in
        slot.result = result
        deliver()
      }
    }

    /// Starts further reads if the last one has to wait for the disk.
    private func readAhead() {
      while let last = slots.last, last.result == nil, slots.count < Self.slotLimit, offset < end {
        startSlot()
      }
    }

    private func deliver() {
      guard let done = waiting else { return }
      guard let first = slots.first else {
        waiting = nil
        return done(.success(nil))
      }
      guard let result = first.result else { return }
      slots.removeFirst()
      waiting = nil
      switch result {
      case .success(let chunk):
        if chunk.readableBytes < first.length { endEarly() }
        readAhead()
        done(.success(chunk.readableBytes > 0 ? chunk : nil))
      case .failure(let error):
        endEarly()
        done(.failure(error))
      }
    }

    private func endEarly() {
      cancel()
      slots.removeAll()
    }
  }
#endif
