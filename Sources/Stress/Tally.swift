import PosixAIO
import SystemPackage

/// Counts and latencies of operations, by how they ended.
struct Tally {
  var startedCount = 0
  /// Operations that waited for their block, or for room in the queue.
  var waitCount = 0
  private(set) var canceledCount = 0
  private(set) var timedOutCount = 0
  private(set) var reads = Latencies()
  private(set) var writes = Latencies()
  private(set) var syncs = Latencies()
  private(set) var readByteCount = 0
  private(set) var writtenByteCount = 0

  /// Operations that ended with a result.
  var completedCount: Int { reads.count + writes.count + syncs.count }

  mutating func count(_ request: StressRequest, _ result: Result<Int, FileError>) {
    let latency = SuspendingClock.now - request.startedAt
    switch (result, request.operation.kind) {
    case (.success(let byteCount), .read):
      reads.record(latency)
      readByteCount += byteCount
    case (.success(let byteCount), .write):
      writes.record(latency)
      writtenByteCount += byteCount
    case (.success, .sync):
      syncs.record(latency)
    case (.failure(let error), _):
      if error.errno == .timedOut { timedOutCount += 1 } else { canceledCount += 1 }
    }
  }
}
