extension [UInt8] {
  /// Makes an array of what is written: at most so many bytes.
  init(byteLimit: Int, writtenBy write: (inout OutputSpan<UInt8>) -> Void) {
    unsafe self.init(unsafeUninitializedCapacity: byteLimit) { memory, count in
      var bytes = unsafe OutputSpan(buffer: memory, initializedCount: 0)
      write(&bytes)
      count = unsafe bytes.finalize(for: memory)
    }
  }

  /// Adds bytes as a whole.
  mutating func append(_ bytes: Span<UInt8>) {
    unsafe bytes.withUnsafeBufferPointer { unsafe append(contentsOf: $0) }
  }
}

/// Text as it goes over the wire, written into memory that is there.
extension OutputSpan<UInt8> {
  mutating func append(_ bytes: Span<UInt8>) {
    unsafe withUnsafeMutableBufferPointer { memory, count in
      unsafe bytes.withUnsafeBufferPointer {
        // Traps where there is no room; it all is written as one move of memory.
        let free = unsafe memory[count..<count + bytes.count]
        _ = unsafe UnsafeMutableBufferPointer(rebasing: free).initialize(fromContentsOf: $0)
      }
      count += bytes.count
    }
  }

  mutating func append(_ text: String) { append(text.utf8Span.span) }

  /// - Parameter number: 0 or more.
  mutating func append(decimal number: Int) {
    if number >= 10 { append(decimal: number / 10) }
    append(UInt8(ascii: "0") + UInt8(number % 10))
  }
}
