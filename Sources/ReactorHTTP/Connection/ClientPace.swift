internal import Reactor

/// The step that a connection waits for, for measuring the pace of its client.
struct ClientActivity: Equatable {
  enum Kind {
    /// Waits for the first byte of a request.
    case idle
    /// Waits for the rest of a head, or for a body that is being read.
    case receiving
    /// Waits for the client to take a response.
    case sending
    /// Waits for the handler.
    case none
  }

  var kind: Kind
  /// Distinguishes two activities of one kind: the number of the request, or of times that the
  /// output has drained.
  var number: Int
}

/// Measures how fast a client sends and receives.
///
/// The server checks its busy connections periodically and reads the clock only then. Most requests
/// finish between two checks, so they cost nothing.
struct ClientPace {
  /// The number of bytes that the kernel of a client may accept before the client reads.
  private static let byteCountOfReader = 1024 * 1024

  private var activity = ClientActivity(kind: .none, number: 0)
  private var start = ContinuousClock.now
  private var startByteCount: Int64 = 0
  private var lastByteCount: Int64 = 0
  private var lastMove = ContinuousClock.now

  /// Whether the client has exceeded one of its time limits.
  ///
  /// - Parameters:
  ///   - byteCount: The bytes moved so far on the connection, in the direction of the activity.
  ///   - startByteCount: The part of `byteCount` that had moved before the activity began. No check
  ///     may have seen that value.
  mutating func isTooSlow(
    _ now: ContinuousClock.Instant, _ activity: ClientActivity, byteCount: Int64,
    from startByteCount: Int64, _ limits: HTTPServer.Configuration
  ) -> Bool {
    guard activity == self.activity else {
      self.activity = activity
      (start, lastMove) = (now, now)
      (self.startByteCount, lastByteCount) = (startByteCount, byteCount)
      return false
    }
    if byteCount != lastByteCount { (lastByteCount, lastMove) = (byteCount, now) }
    let stalled = now - lastMove
    let elapsed = now - start
    let moved = byteCount - self.startByteCount
    switch activity.kind {
    case .none: return false
    // Empty lines do not count as a request.
    case .idle: return elapsed > limits.inactivityTimeout
    case .receiving:
      let earned = Duration.seconds(moved / Int64(limits.minimumRequestByteRate))
      return stalled > limits.inactivityTimeout || elapsed > limits.requestTimeout + earned
    case .sending:
      let earned = Duration.seconds(moved / Int64(limits.minimumResponseByteRate))
      let pause = moved < Self.byteCountOfReader ? .zero : min(earned, limits.responsePauseLimit)
      return stalled > limits.inactivityTimeout + pause
        || elapsed > limits.responseTimeout + earned
    }
  }

  /// When an idle connection should be checked next.
  func idleDeadline(_ limits: HTTPServer.Configuration) -> ContinuousClock.Instant {
    start + limits.inactivityTimeout
  }
}
