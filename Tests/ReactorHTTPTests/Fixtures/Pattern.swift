import PosixAIO
import ReactorHTTP

/// Bytes that depend on their offset.
func pattern(_ byteCount: Int) -> [UInt8] { pattern(0..<byteCount) }

func pattern(_ range: Range<Int>) -> [UInt8] {
  range.map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
}

/// Writes the pattern piece by piece, each after the previous one was sent, and ends the response.
func streamPattern(
  _ writer: HTTPServer.ResponseWriter, from start: Int, to end: Int, pieceByteCount: Int
) {
  guard start < end else { return writer.end() }
  let next = min(end, start + pieceByteCount)
  writer.write(IOBuffer(copying: pattern(start..<next))) { delivery, _ in
    guard delivery == .sent else { return }
    streamPattern(writer, from: next, to: end, pieceByteCount: pieceByteCount)
  }
}
