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
  var writtenByteCount: Int64 { sentByteCount + Int64(connection.pendingByteCount) }

  /// Of those, what the kernel has taken.
  var sentByteCount: Int64 { connection.sentByteCount }

  /// Whether what is written will be sent, as far as the client takes it.
  var isOpen: Bool { connection.acceptsBytes }

  func write(_ head: ResponseHead) {
    heads.lend { bytes, date in
      head.append(to: &bytes, date: date)
      write(bytes.span)
    }
  }

  func write(_ text: StaticString) {
    text.withUTF8Buffer { text in unsafe write(Span(_unsafeElements: text)) }
  }

  /// Begins a chunk of so many bytes.
  func writeChunkSize(_ byteCount: Int) {
    heads.lend { bytes, _ in
      bytes.append(hexadecimal: byteCount)
      bytes.append("\r\n")
      write(bytes.span)
    }
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
    _ file: File, _ range: Range<Int64>, _ whenSent: @escaping (Result<Int64, PumpError>) -> Void
  ) {
    connection.write(file, range, whenSent)
  }

  private func write(_ bytes: Span<UInt8>) {
    attempt { () throws(Errno) in try unsafe connection.write(bytes.bytes) }
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

/// The memory in which a server's connections write heads, and the line with the date.
final class HeadMemory {
  private var bytes: [UInt8] = []
  private var dateLine = DateLine()

  /// Lends empty memory, and the line of the present second.
  func lend(_ body: (inout [UInt8], _ date: [UInt8]) -> Void) {
    bytes.removeAll(keepingCapacity: true)
    body(&bytes, dateLine.now())
  }
}
