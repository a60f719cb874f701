import PosixAIO
import Reactor
import ReactorHTTP

/// What one loop of the server has done so far.
struct ServerFigures: Sendable {
  /// Answers, by status; 499 stands for clients that were gone before theirs began.
  var answerCounts: [Int: UInt64] = [:]
  /// Of bodies, by whole pieces.
  var sentByteCount: Int64 = 0
  /// Bytes of bodies that clients sent.
  var receivedByteCount: Int64 = 0
  /// Answers that did not get to their client whole.
  var brokenCount: UInt64 = 0

  mutating func count(_ record: HTTPServer.ResponseRecord) {
    let outcome = record.outcome
    answerCounts[outcome.status?.code ?? LogLine.lostClientStatus, default: 0] += 1
    sentByteCount += outcome.bodyByteCount
    receivedByteCount += record.receivedByteCount
    if !outcome.isComplete { brokenCount += 1 }
  }
}

/// One loop's figures at one moment.
struct LoopSnapshot: Sendable {
  var server: ServerFigures
  var connectionCount: Int
  var responsesInProgress: Int
  var loop: EventLoop.Statistics
  var queue: CompletionQueue.Statistics
  var openFiles: OpenFiles.Figures
}

/// The figures of all loops at about the same moment.
struct Snapshot: Sendable {
  /// One for each thread, in order.
  var loops: [LoopSnapshot]
  var uptime: Duration
  var droppedLogByteCount: Int64

  /// All kinds of answers there were, with their numbers, by status.
  var answerCounts: [(status: Int, count: UInt64)] {
    var sums: [Int: UInt64] = [:]
    for loop in loops { sums.merge(loop.server.answerCounts, uniquingKeysWith: +) }
    return sums.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
  }
}
