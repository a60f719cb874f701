import PosixAIO
import ReactorHTTP

/// Bytes that tell where they belong.
func pattern(_ byteCount: Int) -> [UInt8] { pattern(0..<byteCount) }

func pattern(_ range: Range<Int>) -> [UInt8] {
  range.map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
}

/// Writes the pattern piece by piece, each when the one before was sent, and ends the answer.
func streamPattern(
  _ responder: HTTPServer.ResponseWriter, from start: Int, to end: Int, pieceByteCount: Int
) {
  guard start < end else { return responder.end() }
  let next = min(end, start + pieceByteCount)
  responder.write(IOBuffer(copying: pattern(start..<next))) { delivery, _ in
    guard delivery == .sent else { return }
    streamPattern(responder, from: next, to: end, pieceByteCount: pieceByteCount)
  }
}
