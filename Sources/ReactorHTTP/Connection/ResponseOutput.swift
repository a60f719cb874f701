internal import PosixAIO
internal import Reactor
internal import SystemPackage

/// What a connection sends: heads, texts, buffers and ranges of files, in order.
struct ResponseOutput {
  private let connection: Connection
  private let heads: HeadMemory

  init(_ connection: Connection, _ heads: HeadMemory) {
    self.connection = connection
    self.heads = heads
  }

  /// All bytes that were written so far.
  var writtenByteCount: Int64 {
    var count = sentByteCount
    count.add(Int64(connection.unsentByteCount))
    return count
  }

  /// Of those, what the kernel has taken.
  var sentByteCount: Int64 { connection.sentByteCount }

  /// Whether what is written will be sent, as far as the client takes it.
  var isOpen: Bool { connection.acceptsBytes }

  /// - Parameter followingByteCount: How many bytes are likely to be copied after the head.
  func write(_ head: ResponseHead, followingByteCount: Int) {
    heads.withBytes(of: head) { bytes in
      write(bytes, followingByteCount: followingByteCount)
    }
  }

  func write(_ text: StaticString) {
    text.withUTF8Buffer { text in unsafe write(Span(_unsafeElements: text)) }
  }

  /// Begins a chunk of so many bytes.
  func writeChunkSize(_ byteCount: Int) {
    heads.withChunkSize(byteCount) { bytes in write(bytes) }
  }

  func write(_ bytes: some Collection<UInt8>) {
    attempt { () throws(Errno) in try connection.write(bytes) }
  }

  /// - Parameter whenSent: Gets the buffer back, and whether it was sent.
  func write(
    _ buffer: consuming IOBuffer, _ whenSent: @escaping (Bool, consuming IOBuffer) -> Void
  ) {
    connection.write(buffer) { outcome, buffer in whenSent(outcome == .sent, buffer) }
  }

  func write(
    _ file: File, _ range: Range<Int64>, _ whenSent: ((Result<Int64, PumpError>) -> Void)?
  ) {
    connection.write(file, range, whenSent)
  }

  private func write(_ bytes: Span<UInt8>, followingByteCount: Int = 0) {
    attempt { () throws(Errno) in
      try unsafe connection.write(bytes.bytes, followingByteCount: followingByteCount)
    }
  }

  /// A connection that is about to tell of its end takes nothing, and whoever writes is told by it.
  private func attempt(_ write: () throws(Errno) -> Void) {
    do throws(Errno) {
      try write()
    } catch {
      connection.abort()
    }
  }
}
