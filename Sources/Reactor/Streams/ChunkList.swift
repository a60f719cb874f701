internal import PosixAIO

/// Bytes waiting to be written to a file, collected in chunks.
@safe
struct ChunkList: ~Copyable {
  private var sealed: [MoveBox<IOBuffer>] = []
  /// The chunk that takes further bytes.
  private var open: IOBuffer?
  private var spare: IOBuffer?

  mutating func append(_ bytes: RawSpan, chunkByteCount: Int) {
    var rest = bytes
    while !rest.isEmpty {
      var chunk = takeOpen(chunkByteCount)
      let count = min(chunk.freeCapacity, rest.byteCount)
      chunk.append(rest.extracting(first: count))
      rest = rest.extracting(droppingFirst: count)
      if chunk.count == chunk.capacity {
        sealed.append(MoveBox(chunk))
      } else {
        open = consume chunk
      }
    }
  }

  mutating func append(_ buffer: consuming IOBuffer) {
    seal()
    sealed.append(MoveBox(buffer))
  }

  /// Makes further bytes go to a new chunk.
  mutating func seal() {
    if let chunk = open.take() { sealed.append(MoveBox(chunk)) }
  }

  mutating func popFirst() -> IOBuffer? {
    guard !sealed.isEmpty else { return open.take() }
    return sealed.removeFirst().take()
  }

  mutating func putBack(_ buffer: consuming IOBuffer) {
    sealed.insert(MoveBox(buffer), at: 0)
  }

  /// Keeps a chunk's memory for reuse.
  mutating func recycle(_ buffer: consuming IOBuffer, chunkByteCount: Int) {
    guard buffer.capacity == chunkByteCount else { return }
    buffer.removeAll()
    spare = consume buffer
  }

  mutating func removeAll() {
    sealed = []
    open = nil
    spare = nil
  }

  private mutating func takeOpen(_ chunkByteCount: Int) -> IOBuffer {
    open.take() ?? spare.take() ?? IOBuffer(capacity: chunkByteCount)
  }
}
