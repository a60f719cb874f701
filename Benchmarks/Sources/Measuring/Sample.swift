internal import CPeers

/// What one measurement of one contestant gave.
public struct Sample: Codable, Sendable {
  /// Requests that were completed in the measured time.
  public var count: Int64
  /// The measured time.
  public var nanoseconds: Int64
  /// All requests, those before and after the measured time too.
  public var total: Int64
  /// Requests that failed, were short, or moved the wrong bytes.
  public var failed: Int64

  /// Processor time of all threads for all requests.
  public var processorNanoseconds: Int64

  /// Processor time for one request, in microseconds.
  public var processorMicroseconds: Double {
    Double(processorNanoseconds) / 1e3 / Double(max(total, 1))
  }

  /// Requests per second.
  public var rate: Double { Double(count) * 1e9 / Double(max(nanoseconds, 1)) }

  init(_ sample: bench_sample) {
    count = sample.count
    nanoseconds = sample.nanoseconds
    total = sample.total
    failed = sample.failed
    processorNanoseconds = sample.processor_nanoseconds
  }

  init(
    count: Int64, nanoseconds: Int64, total: Int64, failed: Int64, processorNanoseconds: Int64
  ) {
    self.count = count
    self.nanoseconds = nanoseconds
    self.total = total
    self.failed = failed
    self.processorNanoseconds = processorNanoseconds
  }
}
