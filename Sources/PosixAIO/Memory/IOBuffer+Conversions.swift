extension RangeReplaceableCollection where Element == UInt8 {
  /// Copies the valid bytes of a buffer: into an array, Foundation's `Data`, or another collection
  /// of bytes.
  ///
  /// - Parameter buffer: Stays unchanged.
  public init(_ buffer: borrowing IOBuffer) {
    self = buffer.withBytes { bytes in unsafe bytes.withUnsafeBytes { unsafe Self($0) } }
  }
}

extension String {
  /// Decodes the valid bytes of a buffer as UTF-8. Invalid bytes become replacement characters.
  ///
  /// - Parameter buffer: Stays unchanged.
  public init(decoding buffer: borrowing IOBuffer) {
    self = buffer.withBytes { bytes in
      unsafe bytes.withUnsafeBytes { unsafe String(decoding: $0, as: UTF8.self) }
    }
  }
}
