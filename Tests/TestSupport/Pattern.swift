/// Bytes that tell where they belong: a block that lands elsewhere, or twice, is noticed.
public enum Pattern {
  /// `byteCount` bytes for the block `number`, different for every block and place.
  public static func block(_ number: Int, byteCount: Int) -> [UInt8] {
    var state = UInt64(truncatingIfNeeded: number) &+ 0x9E37_79B9_7F4A_7C15
    // Words, not bytes, and no closure for each: debug builds make megabytes of them.
    let wordCount = (byteCount + 7) / 8
    var bytes = unsafe [UInt8](unsafeUninitializedCapacity: wordCount * 8) { buffer, count in
      let memory = UnsafeMutableRawBufferPointer(buffer)
      var word = 0
      while word < wordCount {
        // One step of a linear congruential generator, with the constants of Knuth's MMIX. Its low
        // bits repeat soon, so they are mixed with the high ones.
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        unsafe memory.storeBytes(of: state ^ state >> 32, toByteOffset: word * 8, as: UInt64.self)
        word += 1
      }
      count = wordCount * 8
    }
    bytes.removeLast(wordCount * 8 - byteCount)
    return bytes
  }
}
