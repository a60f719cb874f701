internal import Glibc
package import SystemPackage

/// A block of memory that an asynchronous operation can read or fill.
///
/// glibc's helper threads use the memory of an operation long after the call that started it has
/// returned. So a buffer *moves*: into the operation when that is accepted, and back out with its
/// completion. In between nothing else can access it, which the compiler checks.
///
/// ```swift
/// file.read(into: IOBuffer(capacity: 65_536), at: 0) { result, buffer in
///   // `buffer` is ours again, and holds `buffer.count` bytes.
/// }
/// ```
///
/// The first `count` bytes of the `capacity` are valid. The others have not been written, and are
/// not exposed.
@safe
public struct IOBuffer: ~Copyable, Sendable {
  /// The alignment in bytes that direct IO (`O_DIRECT`) requires of memory on all common file
  /// systems.
  public static let pageAlignment = 4096

  /// The alignment of small buffers in bytes, enough for any Swift type.
  public static let smallAlignment = 16

  /// The number of bytes that the memory can hold.
  public let capacity: Int

  /// The number of valid bytes, `0...capacity`.
  public private(set) var count: Int

  // Sendable: the struct cannot be copied, so it has one owner at a time.
  nonisolated(unsafe) private let base: UnsafeMutableRawPointer

  /// Keeps memory alive that the buffer did not allocate, by one reference; nil if it did.
  nonisolated(unsafe) private let lender: Unmanaged<AnyObject>?

  /// Whether the buffer replaces one whose memory glibc still owns.
  let isPlaceholder: Bool

  /// Allocates memory for `capacity` bytes. None of them is valid yet.
  ///
  /// Traps if memory runs out, as every allocation in Swift does, and if a parameter is out of
  /// range.
  ///
  /// - Parameters:
  ///   - capacity: In bytes, 0 or more.
  ///   - alignment: In bytes, a power of two. By default, buffers of a page or more are aligned to
  ///     ``pageAlignment`` and can be used for direct IO.
  public init(capacity: Int, alignment: Int? = nil) {
    self.init(capacity: capacity, alignment: alignment, isPlaceholder: false)
  }

  /// Allocates memory for `byteCount` bytes, which other code or a file chose: the program goes on
  /// if there is not as much.
  ///
  /// - Throws: `ENOMEM`.
  package static func allocate(_ byteCount: Int) throws(Errno) -> IOBuffer {
    guard byteCount >= pageAlignment else { return IOBuffer(capacity: max(byteCount, 1)) }
    var memory: UnsafeMutableRawPointer?
    let status = unsafe posix_memalign(&memory, pageAlignment, byteCount)
    guard status == 0, let memory = unsafe memory else { throw .noMemory }
    // Swift's deallocate() is free(3), as for aligned memory of its own.
    return unsafe IOBuffer(
      adopting: UnsafeMutableRawBufferPointer(start: memory, count: byteCount), count: 0)
  }

  /// Creates an empty buffer for the handler of a request whose memory glibc still owns. The queue
  /// refuses it, so that a retry is not mistaken for a transfer of 0 bytes.
  static func placeholder() -> IOBuffer {
    IOBuffer(capacity: 0, alignment: nil, isPlaceholder: true)
  }

  private init(capacity: Int, alignment: Int?, isPlaceholder: Bool) {
    require(capacity >= 0, "IOBuffer: the capacity must be 0 or more bytes")
    let fitting = capacity >= Self.pageAlignment ? Self.pageAlignment : Self.smallAlignment
    let alignment = alignment ?? fitting
    require(
      alignment > 0 && alignment & (alignment - 1) == 0,
      "IOBuffer: the alignment must be a power of two")
    unsafe self.base = .allocate(byteCount: max(capacity, 1), alignment: alignment)
    self.capacity = capacity
    self.count = 0
    unsafe lender = nil
    self.isPlaceholder = isPlaceholder
  }

  /// Allocates a buffer that holds a copy of bytes.
  ///
  /// Traps if a collection has more elements than its `count`, or a negative `count`.
  ///
  /// - Parameter bytes: Any number of them, which is also the capacity.
  public init(copying bytes: some Collection<UInt8>) {
    let count = bytes.withContiguousStorageIfAvailable { $0.count }
    self.init(capacity: count ?? bytes.count)
    append(contentsOf: bytes)
  }

  /// Takes ownership of memory from ``relinquish()``. Traps if `count` is out of range, and for
  /// memory without a base address.
  ///
  /// - Parameters:
  ///   - memory: Allocated by an `IOBuffer`, without another owner.
  ///   - count: The number of valid bytes, `0...memory.count`.
  @unsafe
  public init(adopting memory: UnsafeMutableRawBufferPointer, count: Int) {
    unsafe self.init(memory, count: count, lender: nil)
  }

  /// Uses memory that belongs to something else, without a copy.
  ///
  /// Traps if `count` is out of range, and for memory without a base address.
  ///
  /// - Parameters:
  ///   - memory: Stays at its address, and is used by nothing else, until the lender is released.
  ///   - count: The number of valid bytes, `0...memory.count`.
  ///   - lender: Keeps the memory alive. It is released on any thread when the buffer's life ends,
  ///     which for a cancelled operation is when the kernel is done with the memory.
  @unsafe
  public init(
    lending memory: UnsafeMutableRawBufferPointer, count: Int, from lender: AnyObject
  ) {
    unsafe self.init(memory, count: count, lender: .passRetained(lender))
  }

  private init(
    _ memory: UnsafeMutableRawBufferPointer, count: Int, lender: Unmanaged<AnyObject>?
  ) {
    require(
      count >= 0 && count <= memory.count,
      "IOBuffer: count must be within 0 and the size of the memory")
    guard let base = memory.baseAddress else {
      trap("IOBuffer: the memory must have an address")
    }
    unsafe self.base = base
    self.capacity = memory.count
    self.count = count
    unsafe self.lender = lender
    isPlaceholder = false
  }

  /// Takes the memory, and the reference to its lender, back from a request.
  init(_ memory: consuming Memory, count: Int) {
    unsafe base = memory.base
    capacity = memory.capacity
    self.count = count
    unsafe lender = memory.lender
    isPlaceholder = false
  }

  deinit {
    if let lender = unsafe lender {
      unsafe lender.release()
    } else {
      unsafe base.deallocate()
    }
  }

  /// The memory of a buffer whose operation runs, for the request that holds it. It has to be made
  /// a buffer again, once.
  @safe
  struct Memory {
    fileprivate(set) var base: UnsafeMutableRawPointer
    fileprivate(set) var capacity: Int
    fileprivate var lender: Unmanaged<AnyObject>?
  }

  /// Moves the memory to a request.
  consuming func moveToRequest() -> Memory {
    let memory = unsafe Memory(base: base, capacity: capacity, lender: lender)
    discard self
    return memory
  }

  /// Gives the memory to the caller, who passes it to ``init(adopting:count:)`` or deallocates it.
  ///
  /// Use it to pass the memory to C code that keeps it. The bytes are copied only if the memory is
  /// lent.
  ///
  /// - Returns: The whole memory, ``capacity`` bytes, valid or not.
  public consuming func relinquish() -> UnsafeMutableRawBufferPointer {
    let memory = unsafe UnsafeMutableRawBufferPointer(start: base, count: capacity)
    let copy = unsafe lender == nil ? memory : copyOfMemory()
    if let lender = unsafe lender { unsafe lender.release() }
    discard self
    return unsafe copy
  }

  /// Memory of its own with the same bytes.
  private func copyOfMemory() -> UnsafeMutableRawBufferPointer {
    var copy = IOBuffer(capacity: capacity)
    withBytes { copy.append($0) }
    return unsafe copy.relinquish()
  }

  /// Whether there are no valid bytes.
  public var isEmpty: Bool { count == 0 }

  /// The number of bytes that can be appended, ``capacity`` minus ``count``.
  public var freeCapacity: Int { capacity - count }

  /// The memory after the valid bytes.
  private var free: UnsafeMutableRawBufferPointer {
    unsafe UnsafeMutableRawBufferPointer(start: base + count, count: freeCapacity)
  }

  /// Reads the valid bytes.
  ///
  /// - Parameter body: Gets the bytes, which it may use until it returns.
  /// - Returns: The result of `body`.
  /// - Throws: The error of `body`.
  public func withBytes<Failure: Error, Result: ~Copyable>(
    _ body: (RawSpan) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    let bytes = unsafe UnsafeRawBufferPointer(start: base, count: count)
    return try body(unsafe bytes.bytes)
  }

  /// Reads the valid bytes one by one; as ``withBytes(_:)``, with a span that has a subscript for
  /// each byte.
  public func withSpan<Failure: Error, Result: ~Copyable>(
    _ body: (Span<UInt8>) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    let bytes = unsafe UnsafeBufferPointer(
      start: base.assumingMemoryBound(to: UInt8.self), count: count)
    return try body(unsafe bytes.span)
  }

  /// Changes the valid bytes in place.
  ///
  /// - Parameter body: Gets the bytes, which it may use until it returns.
  /// - Returns: The result of `body`.
  /// - Throws: The error of `body`.
  public mutating func withMutableBytes<Failure: Error, Result: ~Copyable>(
    _ body: (inout MutableRawSpan) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    let memory = unsafe UnsafeMutableRawBufferPointer(start: base, count: count)
    var bytes = unsafe memory.mutableBytes
    return try body(&bytes)
  }

  /// Appends bytes to the valid ones.
  ///
  /// Traps if they do not fit in the capacity. A buffer never grows, since memory that an operation
  /// has used keeps its address.
  ///
  /// - Parameter bytes: At most ``freeCapacity`` of them. The elements are counted; the
  ///   collection's own `count` is not trusted.
  public mutating func append(contentsOf bytes: some Collection<UInt8>) {
    let free = unsafe free
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

  /// Appends a copy of other memory to the valid bytes. Traps if it does not fit in the capacity.
  ///
  /// - Parameter bytes: At most ``freeCapacity`` bytes.
  public mutating func append(_ bytes: RawSpan) {
    let free = unsafe free
    count += unsafe bytes.withUnsafeBytes { unsafe Self.copy($0, to: free) }
  }

  /// Appends a copy of other memory to the valid bytes. Traps if it does not fit in the capacity.
  ///
  /// - Parameter bytes: At most ``freeCapacity`` bytes.
  public mutating func append(_ bytes: Span<UInt8>) {
    // Bytes have no padding.
    unsafe append(bytes.bytes)
  }

  /// Appends copies of a byte to the valid ones. Traps if they do not fit in the capacity, and if
  /// `byteCount` is negative.
  ///
  /// - Parameters:
  ///   - byte: The value of each.
  ///   - byteCount: `0...freeCapacity`.
  public mutating func append(repeating byte: UInt8, count byteCount: Int) {
    require(byteCount >= 0, "IOBuffer: byteCount must be 0 or more")
    require(byteCount <= freeCapacity, "IOBuffer: the bytes do not fit in the capacity")
    unsafe memset(base + count, Int32(byte), byteCount)
    count += byteCount
  }

  /// Appends bytes that a closure writes in place, without a copy.
  ///
  /// ```swift
  /// buffer.append { output in
  ///   while let byte = source.next(), !output.isFull { output.append(byte) }
  /// }
  /// ```
  ///
  /// - Parameter body: Gets the memory after the valid bytes, ``freeCapacity`` bytes, which it may
  ///   use until it returns. What it appends there becomes valid, also if it throws.
  /// - Returns: The result of `body`.
  /// - Throws: The error of `body`.
  public mutating func append<Failure: Error, Result: ~Copyable>(
    initializingWith body: (inout OutputRawSpan) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    let free = unsafe free
    var output = unsafe OutputRawSpan(buffer: free, initializedCount: 0)
    do throws(Failure) {
      let result = try body(&output)
      count += unsafe output.finalize(for: free)
      return result
    } catch {
      count += unsafe output.finalize(for: free)
      throw error
    }
  }

  private static func copy(
    _ source: UnsafeRawBufferPointer, to free: UnsafeMutableRawBufferPointer
  ) -> Int {
    require(source.count <= free.count, "IOBuffer: the bytes do not fit in the capacity")
    unsafe free.copyMemory(from: source)
    return source.count
  }

  /// Drops bytes from the end. Traps if `byteCount` is negative.
  ///
  /// - Parameter byteCount: The most bytes that stay valid, 0 or more.
  public mutating func truncate(to byteCount: Int) {
    require(byteCount >= 0, "IOBuffer: byteCount must be 0 or more")
    count = min(count, byteCount)
  }

  /// Drops all bytes and keeps the memory.
  public mutating func removeAll() {
    count = 0
  }

  /// Declares bytes valid after C code has written them. Traps if `byteCount` is out of range.
  ///
  /// - Parameter byteCount: The number of valid bytes from the start, `0...capacity`.
  @unsafe
  public mutating func setCount(_ byteCount: Int) {
    require(
      byteCount >= 0 && byteCount <= capacity,
      "IOBuffer: byteCount must be within 0 and the capacity")
    count = byteCount
  }

  /// The whole memory, valid or not. It stays at this address as long as the buffer lives.
  @unsafe
  public var unsafeMemory: UnsafeMutableRawBufferPointer {
    unsafe UnsafeMutableRawBufferPointer(start: base, count: capacity)
  }
}
