public import CPeers
public import PosixAIO

/// The books of one measurement, kept in Swift as the peers' are kept in C (`measure.h`): counts
/// requests, reads the clock now and then, and checks that the right bytes came.
public struct Meter: Sendable {
  /// Whether to make further requests.
  public private(set) var isRunning = true

  @usableFromInline var total: Int64 = 0
  @usableFromInline var failed: Int64 = 0
  @usableFromInline let lookMask: Int64
  private let nanoseconds: Int64
  private var started: Int64 = 0
  private var countedFrom: Int64 = 0
  private var until: Int64
  private var count: Int64 = 0
  private var elapsed: Int64 = 0
  private let processorTime: Int64

  @usableFromInline let blockCount: Int64
  @usableFromInline var random: UInt64
  @usableFromInline var sum: UInt64 = 0
  @usableFromInline var expected: UInt64 = 0
  @usableFromInline var next: Int64 = 0

  /// Starts the warm-up.
  public init(_ job: Job) {
    lookMask = job.requestsPerLook - 1
    nanoseconds = job.nanoseconds
    processorTime = bench_processor_time()
    until = bench_now() + job.warmUpNanoseconds
    blockCount = job.blockCount
    random = job.seed
  }

  /// The offset of the block to read next, in bytes.
  @inlinable
  public mutating func randomOffset() -> Int64 {
    let block = unsafe bench_next_block(&random, blockCount)
    expected &+= bench_pattern(block)
    return block * Int64(Job.blockSize)
  }

  /// The number of the block to write next.
  @inlinable
  public mutating func sequentialBlock() -> Int64 {
    defer { next += 1 }
    return next % blockCount
  }

  /// The offset of the record to append next, in bytes.
  public mutating func recordOffset() -> Int64 {
    defer { next += 1 }
    return next * Int64(Job.recordSize)
  }

  /// Counts a read out.
  @inlinable
  public mutating func read(_ result: Result<Int, FileError>, _ buffer: borrowing IOBuffer) {
    guard case .success(Job.blockSize) = result else { return failedOne() }
    sum &+= buffer.withBytes { bytes in unsafe bytes.unsafeLoad(as: UInt64.self) }
    done()
  }

  /// Counts a read out whose block begins with this word; nil if it was short or failed.
  public mutating func read(firstWord: UInt64?) {
    guard let firstWord else { return failedOne() }
    sum &+= firstWord
    done()
  }

  /// Counts a write out.
  @inlinable
  public mutating func written(_ result: Result<Int, FileError>, byteCount: Int) {
    guard case .success(byteCount) = result else { return failedOne() }
    done()
  }

  /// Counts one request out.
  @inlinable
  public mutating func done() {
    total += 1
    if total & lookMask == 0 && isRunning { look() }
  }

  /// Counts one request out that failed.
  public mutating func failedOne() {
    failed += 1
    done()
  }

  /// Ends the measurement at once, for what has no time of its own.
  public mutating func stop() {
    isRunning = false
  }

  /// Checks one block that was read.
  public mutating func check(_ buffer: borrowing IOBuffer, isBlock block: Int64) {
    expected &+= bench_pattern(block)
    sum &+= buffer.withBytes { bytes in unsafe bytes.unsafeLoad(as: UInt64.self) }
  }

  /// Reads the clock: ends the warm-up, or the measurement.
  @usableFromInline
  mutating func look() {
    let now = bench_now()
    guard now >= until else { return }
    if started == 0 {
      started = now
      countedFrom = total
      until = now + nanoseconds
    } else {
      count = total - countedFrom
      elapsed = now - started
      isRunning = false
    }
  }

  /// The result, when all requests are done.
  public var sample: Sample {
    Sample(
      count: count, nanoseconds: elapsed, total: total, failed: failed + (sum == expected ? 0 : 1),
      processorNanoseconds: bench_processor_time() - processorTime)
  }
}

extension IOBuffer {
  /// A block that is ready to be written.
  static func block() -> IOBuffer {
    IOBuffer(copying: [UInt8](repeating: 0, count: Job.blockSize))
  }

  /// Marks the block as the one that belongs to this place.
  @inline(__always)
  mutating func fill(block: Int64) {
    withMutableBytes { bytes in
      bytes.storeBytes(of: bench_pattern(block), as: UInt64.self)
    }
  }
}
