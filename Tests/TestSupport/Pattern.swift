/// Bytes that tell where they belong: a block that lands elsewhere, or twice, is noticed.
public enum Pattern {
  /// `byteCount` bytes for the block `number`, different for every block and place.
  public static func block(_ number: Int, byteCount: Int) -> [UInt8] {
    var state = UInt64(truncatingIfNeeded: number) &+ 0x9E37_79B9_7F4A_7C15
    return (0..<byteCount).map { _ in
      // One step of a linear congruential generator, with the constants of Knuth's MMIX.
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return UInt8(truncatingIfNeeded: state >> 56)
    }
  }
}
