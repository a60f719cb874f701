internal import Glibc
internal import PosixAIO

/// Splits chunks of bytes into lines.
@safe
struct LineSplitter: ~Copyable {
  enum Outcome: Equatable {
    case line([UInt8])
    case needsMore
    case tooLong
  }

  private let maximumByteCount: Int
  private let dropsCarriageReturn: Bool
  /// The start of the next line, in bytes from the file's start.
  private(set) var offset: Int64
  /// The start of a line whose end has not been seen yet.
  private var beginning: [UInt8] = []
  private var chunk: IOBuffer?
  /// How many bytes of the chunk were scanned.
  private var position = 0

  init(maximumByteCount: Int, dropsCarriageReturn: Bool, offset: Int64) {
    self.maximumByteCount = maximumByteCount
    self.dropsCarriageReturn = dropsCarriageReturn
    self.offset = offset
  }

  /// Adds a chunk, when ``next()`` needs more bytes.
  ///
  /// - Returns: The previous chunk, which is no longer needed.
  mutating func append(_ buffer: consuming IOBuffer) -> IOBuffer? {
    let former = chunk.take()
    chunk = consume buffer
    position = 0
    return former
  }

  mutating func next() -> Outcome {
    guard let count = chunk?.count else { return .needsMore }
    let start = position
    let end = lineFeed(from: start)
    // Emptied, so that appending does not copy it.
    var line = beginning
    beginning = []
    chunk?.withBytes { bytes in
      unsafe bytes.withUnsafeBytes { unsafe line.append(contentsOf: $0[start..<(end ?? count)]) }
    }
    let byteCount = line.count
    if dropsCarriageReturn, line.last == UInt8(ascii: "\r") { line.removeLast() }
    guard line.count <= maximumByteCount else { return .tooLong }
    guard let end else {
      // The line's end is not seen yet, so the carriage return may be part of the line.
      if line.count < byteCount { line.append(UInt8(ascii: "\r")) }
      beginning = line
      position = count
      return .needsMore
    }
    position = end + 1
    offset += Int64(byteCount + 1)
    return .line(line)
  }

  /// The last line if it has no line feed; otherwise `needsMore`.
  mutating func finish() -> Outcome {
    guard !beginning.isEmpty else { return .needsMore }
    // A carriage return alone does not end a line.
    guard beginning.count <= maximumByteCount else { return .tooLong }
    offset += Int64(beginning.count)
    defer { beginning = [] }
    return .line(beginning)
  }

  private func lineFeed(from start: Int) -> Int? {
    let found = chunk?.withBytes { bytes -> Int? in
      unsafe bytes.withUnsafeBytes { bytes in
        guard start < bytes.count, let base = bytes.baseAddress else { return nil }
        let found = unsafe memchr(base + start, Int32(UInt8(ascii: "\n")), bytes.count - start)
        return unsafe found.map { unsafe UnsafeRawPointer($0) - base }
      }
    }
    return found ?? nil
  }
}
