internal import PosixAIO
internal import Reactor
internal import SystemPackage

/// Writes the output of a connection: heads, texts, buffers and ranges of files, in order.
struct ResponseOutput {
  private let connection: Connection
  private let heads: HeadMemory

  init(_ connection: Connection, _ heads: HeadMemory) {
    self.connection = connection
    self.heads = heads
  }

  /// The number of bytes written so far.
  var writtenByteCount: Int64 {
    sentByteCount.adding(saturating: Int64(connection.unsentByteCount))
  }

  /// The number of those bytes that the kernel has taken.
  var sentByteCount: Int64 { connection.sentByteCount }

  /// Whether bytes written now are sent, as long as the client accepts them.
  var isOpen: Bool { connection.acceptsBytes }

  /// - Parameter followingByteCount: The number of bytes that are likely to be copied after the
  ///   head.
  func write(_ head: ResponseHead, followingByteCount: Int) {
    heads.withBytes(of: head) { bytes in
      write(bytes, followingByteCount: followingByteCount)
    }
  }

  func write(_ text: StaticString) {
    text.withUTF8Buffer { text in unsafe write(Span(_unsafeElements: text)) }
  }

  /// Begins a chunk of `byteCount` bytes.
  func writeChunkSize(_ byteCount: Int) {
    heads.withChunkSize(byteCount) { bytes in write(bytes) }
  }

  func write(_ bytes: some Collection<UInt8>) {
    attempt { () throws(Errno) in try connection.write(bytes) }
  }

  /// - Parameter whenSent: Receives the buffer, and whether it was sent.
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

  /// A connection that is about to report its end accepts nothing; the writers learn of it from
  /// that report.
  private func attempt(_ write: () throws(Errno) -> Void) {
    do throws(Errno) {
      try write()
    } catch {
      connection.abort()
    }
  }
}
