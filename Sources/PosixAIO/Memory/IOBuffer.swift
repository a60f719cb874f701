/// A block of memory that an asynchronous operation may read or fill.
///
/// glibc's helper threads touch the memory of an operation long after the call that started it has
/// returned, so a buffer *moves*: into the operation when that is accepted, and back out with its
/// completion. In between nobody can reach it, which the compiler checks.
///
/// ```swift
/// file.read(into: IOBuffer(capacity: 65_536), at: 0) { result, buffer in
///   // `buffer` is ours again, and holds `buffer.count` bytes.
/// }
/// ```
///
/// The first `count` bytes of the `capacity` are valid. The rest was never written and is never
/// shown.
@safe
public struct IOBuffer: ~Copyable, Sendable {
  /// The alignment that direct IO (`O_DIRECT`) asks of memory on every common file system, in
  /// bytes.
  public static let pageAlignment = 4096

  /// Enough for any Swift type, in bytes. What small buffers get.
  public static let smallAlignment = 16

  /// The number of bytes that the memory can hold.
  public let capacity: Int

  /// The number of valid bytes, `0...capacity`.
  public private(set) var count: Int

  // Sendable: one owner at a time, since the struct cannot be copied.
  nonisolated(unsafe) private let base: UnsafeMutableRawPointer

  /// Allocates memory for `capacity` bytes, none of them valid yet.
  ///
  /// - Parameters:
  ///   - capacity: In bytes, 0 or more.
  ///   - alignment: In bytes, a power of two. Without one, buffers of a page or more are aligned
  ///     to ``pageAlignment`` and can be used for direct IO.
  ///
  /// Traps when memory runs out, as every allocation in Swift does.
  public init(capacity: Int, alignment: Int? = nil) {
    require(capacity >= 0, "IOBuffer: the capacity is a number of bytes, 0 or more")
    let fitting = capacity >= Self.pageAlignment ? Self.pageAlignment : Self.smallAlignment
    let alignment = alignment ?? fitting
    require(
      alignment > 0 && alignment & (alignment - 1) == 0,
      "IOBuffer: the alignment is a power of two")
    unsafe self.base = .allocate(byteCount: max(capacity, 1), alignment: alignment)
    self.capacity = capacity
    self.count = 0
  }

  /// Allocates a buffer that holds a copy of bytes.
  ///
  /// Traps when a collection has more bytes than it counts, or counts fewer than none.
  ///
  /// - Parameter bytes: Any number of them; the capacity is as many.
  public init(copying bytes: some Collection<UInt8>) {
    let count = bytes.withContiguousStorageIfAvailable { $0.count }
    self.init(capacity: count ?? bytes.count)
    append(contentsOf: bytes)
  }

  /// Takes over memory that ``relinquish()`` gave away.
  ///
  /// - Parameters:
  ///   - memory: Allocated by an `IOBuffer`, and owned by nobody else.
  ///   - count: The number of valid bytes, at most `memory.count`.
  @unsafe
  public init(adopting memory: UnsafeMutableRawBufferPointer, count: Int) {
    require(count >= 0 && count <= memory.count, "IOBuffer: count is within the memory")
    guard let base = memory.baseAddress else {
      trap("IOBuffer: the memory comes from an IOBuffer")
    }
    unsafe self.base = base
    self.capacity = memory.count
    self.count = count
  }

  deinit {
    unsafe base.deallocate()
  }

  /// Gives the memory to the caller, who passes it to ``init(adopting:count:)`` or deallocates it.
  ///
  /// The way to hand the memory to C code that keeps it, without copying it.
  ///
  /// - Returns: The whole memory, ``capacity`` bytes, valid or not.
  public consuming func relinquish() -> UnsafeMutableRawBufferPointer {
    let memory = unsafe UnsafeMutableRawBufferPointer(start: base, count: capacity)
    discard self
    return unsafe memory
  }

  /// Whether no byte is valid.
  public var isEmpty: Bool { count == 0 }

  /// Reads the valid bytes.
  ///
  /// - Parameter body: Gets the bytes, which it may use until it returns.
  /// - Returns: What `body` returns.
  /// - Throws: What `body` throws.
  public func withBytes<Failure: Error, Result: ~Copyable>(
    _ body: (RawSpan) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    let bytes = unsafe UnsafeRawBufferPointer(start: base, count: count)
    return try body(unsafe bytes.bytes)
  }

  /// Changes the valid bytes in place.
  ///
  /// - Parameter body: Gets the bytes, which it may use until it returns.
  /// - Returns: What `body` returns.
  /// - Throws: What `body` throws.
  public mutating func withMutableBytes<Failure: Error, Result: ~Copyable>(
    _ body: (inout MutableRawSpan) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    let memory = unsafe UnsafeMutableRawBufferPointer(start: base, count: count)
    var bytes = unsafe memory.mutableBytes
    return try body(&bytes)
  }

  /// Adds bytes behind the valid ones.
  ///
  /// Traps when they do not fit in the capacity; memory that an operation has used keeps its
  /// address, so a buffer never grows.
  ///
  /// - Parameter bytes: At most ``capacity`` minus ``count`` of them. They count as many as there
  ///   are: what a collection says about its `count` is not relied upon.
  public mutating func append(contentsOf bytes: some Collection<UInt8>) {
    let free = unsafe UnsafeMutableRawBufferPointer(start: base + count, count: capacity - count)
    let copied = bytes.withContiguousStorageIfAvailable { source in
      unsafe Self.copy(UnsafeRawBufferPointer(source), to: free)
    }
    if let copied {
      count += copied
      return
    }
    var added = 0
    for byte in bytes {
      require(added < free.count, "IOBuffer: the bytes do not fit in the capacity")
      unsafe free[added] = byte
      added += 1
    }
    count += added
  }

  /// Adds a copy of foreign memory behind the valid bytes. Traps when it does not fit.
  ///
  /// - Parameter bytes: At most ``capacity`` minus ``count`` of them.
  public mutating func append(_ bytes: RawSpan) {
    let free = unsafe UnsafeMutableRawBufferPointer(start: base + count, count: capacity - count)
    count += unsafe bytes.withUnsafeBytes { unsafe Self.copy($0, to: free) }
  }

  private static func copy(
    _ source: UnsafeRawBufferPointer, to free: UnsafeMutableRawBufferPointer
  ) -> Int {
    require(source.count <= free.count, "IOBuffer: the bytes do not fit in the capacity")
    unsafe free.copyMemory(from: source)
    return source.count
  }

  /// Forgets bytes from the end.
  ///
  /// - Parameter byteCount: The most bytes that are valid afterwards, 0 or more.
  public mutating func truncate(to byteCount: Int) {
    require(byteCount >= 0, "IOBuffer: a number of bytes is 0 or more")
    count = min(count, byteCount)
  }

  /// Forgets all bytes and keeps the memory.
  public mutating func removeAll() {
    count = 0
  }

  /// Declares bytes valid, after C code wrote them.
  ///
  /// - Parameter byteCount: How many, from the first, `0...capacity`.
  @unsafe
  public mutating func setCount(_ byteCount: Int) {
    require(byteCount >= 0 && byteCount <= capacity, "IOBuffer: count is within the capacity")
    count = byteCount
  }

  /// The whole memory, valid or not. It stays at this address as long as the buffer lives.
  @unsafe
  public var unsafeMemory: UnsafeMutableRawBufferPointer {
    unsafe UnsafeMutableRawBufferPointer(start: base, count: capacity)
  }
}

extension Array where Element == UInt8 {
  /// Copies the valid bytes of a buffer.
  ///
  /// - Parameter buffer: It stays as it is.
  public init(_ buffer: borrowing IOBuffer) {
    self = buffer.withBytes { bytes in unsafe bytes.withUnsafeBytes { unsafe Array($0) } }
  }
}

extension String {
  /// Decodes the valid bytes of a buffer as UTF-8, with replacement characters where they are not.
  ///
  /// - Parameter buffer: It stays as it is.
  public init(decoding buffer: borrowing IOBuffer) {
    self = buffer.withBytes { bytes in
      unsafe bytes.withUnsafeBytes { unsafe String(decoding: $0, as: UTF8.self) }
    }
  }
}
