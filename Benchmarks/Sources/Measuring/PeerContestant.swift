public import CPeers
internal import PosixAIO
internal import SystemPackage

/// A peer: a measured loop in C.
public enum PeerContestant {
  /// Runs a peer.
  ///
  /// - Parameters:
  ///   - engine: Which one.
  ///   - job: What it does.
  ///   - threads: Helper threads, for libuv.
  ///   - isIsolated: Whether it runs in a process of its own.
  public static func measure(
    _ engine: bench_engine, _ job: Job, threads: Int = 4, isIsolated: Bool = true
  ) throws -> Sample {
    let mode: FileDescriptor.AccessMode = engine.writes ? .readWrite : .readOnly
    let descriptors = try job.openDescriptors(mode)
    defer { for descriptor in descriptors { try? descriptor.close() } }
    var sample = bench_sample()
    let numbers = descriptors.map(\.rawValue)
    let error = unsafe numbers.withUnsafeBufferPointer { numbers in
      guard let first = numbers.baseAddress else { return Errno.invalidArgument.rawValue }
      var job = unsafe bench_job(job, descriptors: first, threads: threads)
      return isIsolated
        ? unsafe bench_measure(engine, &job, &sample)
        : unsafe bench_measure_here(engine, &job, &sample)
    }
    guard error == 0 else { throw Errno(rawValue: error) }
    return Sample(sample)
  }
}

extension bench_engine {
  var writes: Bool {
    switch self {
    case BENCH_PLAIN_READ, BENCH_URING_READ, BENCH_LIBUV_READ, BENCH_AIO_YIELD,
      BENCH_AIO_SUSPEND:
      false
    default: true
    }
  }
}

extension bench_job {
  init(_ job: Job, descriptors: UnsafePointer<Int32>, threads: Int) {
    unsafe self.init(
      fds: descriptors, fd_count: Int32(job.usedCount), depth: Int32(job.depth),
      threads: Int32(threads), direct: job.isDirect, block_count: job.blockCount, seed: job.seed,
      warm_up_nanoseconds: job.warmUpNanoseconds, nanoseconds: job.nanoseconds,
      requests_per_look: job.requestsPerLook)
  }
}

extension Job {
  /// Opens the file as often as the job says.
  func openDescriptors(_ mode: FileDescriptor.AccessMode) throws -> [FileDescriptor] {
    let options: FileDescriptor.OpenOptions = isDirect ? .directIO : []
    return try (0..<openCount).map { _ in
      try FileDescriptor.open(path, mode, options: [options, .closeOnExec])
    }
  }
}
