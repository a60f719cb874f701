internal import Reactor

/// What a connection does as far as its client's pace is concerned.
struct ClientActivity: Equatable {
  enum Kind {
    /// Waits for the first byte of a request.
    case idle
    /// Waits for the rest of a head, or for a body that somebody has asked for.
    case receiving
    /// Waits for the client to take a response.
    case sending
    /// Waits for the handler.
    case none
  }

  var kind: Kind
  /// Tells one activity from the next of its kind: a request, or all that is sent until nothing
  /// waits.
  var number: Int
}

/// How long a client takes for what it does.
///
/// The server looks at its busy connections once in a while, and only then asks the clock: most
/// requests are through by then, and cost nothing.
struct ClientPace {
  /// So much the kernel of a client may take while nobody reads there.
  private static let byteCountOfReader = 1024 * 1024

  private var activity = ClientActivity(kind: .none, number: 0)
  private var start = ContinuousClock.now
  private var startByteCount: Int64 = 0
  private var lastByteCount: Int64 = 0
  private var lastMove = ContinuousClock.now

  /// Whether the client takes longer than it may.
  ///
  /// - Parameters:
  ///   - byteCount: What has moved so far on the connection, in the activity's direction.
  ///   - startByteCount: What of that had moved before the activity, which nobody may have looked
  ///     at since.
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
    // Empty lines are no request.
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

  /// When the next look at an idle connection makes sense.
  func idleDeadline(_ limits: HTTPServer.Configuration) -> ContinuousClock.Instant {
    start + limits.inactivityTimeout
  }
}
