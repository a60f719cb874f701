import PosixAIO
import Reactor
import ReactorHTTP

/// Statistics of the HTTP server of one loop.
struct ServerStatistics: Sendable {
  /// The number of responses by status; 499 counts clients that left before the response began.
  var responseCounts: [Int: UInt64] = [:]
  /// Bytes of bodies that were sent; incomplete chunked bodies count whole pieces.
  var sentByteCount: Int64 = 0
  /// Bytes of bodies that clients sent.
  var receivedByteCount: Int64 = 0
  /// The number of responses that ended incomplete.
  var brokenCount: UInt64 = 0

  mutating func count(_ record: HTTPServer.ResponseRecord) {
    let outcome = record.outcome
    responseCounts[outcome.status?.code ?? LogLine.lostClientStatus, default: 0] += 1
    sentByteCount += outcome.bodyByteCount
    receivedByteCount += record.receivedByteCount
    if !outcome.isComplete { brokenCount += 1 }
  }
}

/// Statistics of one loop at one moment.
struct LoopStatistics: Sendable {
  var server: ServerStatistics
  var connectionCount: Int
  var refusedConnectionCount: UInt64
  var responsesInProgress: Int
  var loop: EventLoop.Statistics
  var queue: CompletionQueue.Statistics
  var openFiles: OpenFiles.Statistics
}

/// Statistics of all loops at about the same moment.
struct ServerGroupStatistics: Sendable {
  /// One entry per thread, in order.
  var loops: [LoopStatistics]
  var uptime: Duration
  var droppedLogByteCount: Int64

  /// The number of responses by status, of all loops together.
  var responseCounts: [(status: Int, count: UInt64)] {
    var sums: [Int: UInt64] = [:]
    for loop in loops { sums.merge(loop.server.responseCounts, uniquingKeysWith: +) }
    return sums.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
  }
}
