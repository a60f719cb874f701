import Reactor
import SystemPackage
import TestSupport

/// One way in which a loop ends, or a call is refused.
struct Ending {
  /// What may become of a call.
  enum Promise {
    /// Its own result.
    case own
    /// Its own result, or `ECANCELED`.
    case ownOrCanceled
    /// `ECANCELED`: there cannot be a result.
    case canceled
    /// Its own result, or `EAGAIN`.
    case ownOrRefused
    /// `EAGAIN`: there is no room.
    case refused

    func allows(_ outcome: Outcome) -> Bool {
      switch self {
      case .own: outcome.kind == .value
      case .ownOrCanceled: outcome.kind == .value || outcome.has(.canceled)
      case .canceled: outcome.has(.canceled)
      case .ownOrRefused:
        outcome.kind == .value || outcome.has(.resourceTemporarilyUnavailable)
      case .refused: outcome.has(.resourceTemporarilyUnavailable)
      }
    }
  }

  let name: String
  var isBorrowed = false
  var configure: (inout EventLoop.Configuration) -> Void = { _ in }
  /// Whether the ending says something about a call.
  var isFor: (Call) -> Bool = { _ in true }
  let promise: (Call) -> Promise
  /// Whether the loop has ended before the call, and handlers are called from inside it.
  var isOver = false
  /// What happens before the call, when all is prepared for it.
  var before: (Site) throws -> Void = { _ in }
  /// What happens after the call.
  let end: (Site, Recorder) throws -> Void
}

// MARK: - Promises

extension Ending {
  /// Where what is under way runs to its end, and sockets and waits are cut.
  static func closing(_ call: Call) -> Promise {
    guard call.traits.atClose == .isCut else { return .own }
    return canceling(call)
  }

  /// The promise of an ending that completes work in progress as soon as possible.
  static func canceling(_ call: Call) -> Promise {
    if call.traits.endsByValue { return .ownOrCanceled }
    return call.traits.end == .byItself ? .ownOrCanceled : .canceled
  }

  static func own(_: Call) -> Promise { .own }
}

// MARK: - Which calls

extension Ending {
  static func canEnd(_ call: Call) -> Bool { call.traits.end != .never }

  static func endsByItself(_ call: Call) -> Bool { call.traits.end == .byItself }

  /// Whether the last reference to the loop is the cell's to drop.
  static func canDrop(_ call: Call) -> Bool { !call.keepsLoop }
}

extension Site {
  func close() throws {
    try liveLoop().close()
  }

  /// - Parameter mustBeWhole: Whether there is time for everything.
  func shutDown(
    within timeout: Duration, _ recorder: Recorder, mustBeWhole: Bool = false
  ) throws {
    let isWhole = try liveLoop().shutDown(within: timeout)
    if mustBeWhole, !isWhole { recorder.complain("shutDown(within:) said false") }
    if isWhole, recorder.outcomes.contains(where: { $0.has(.canceled) }) {
      recorder.complain("shutDown(within:) said true, and something was cancelled")
    }
  }

  /// Drops what the cell holds, in one of the two orders.
  func drop(objectsFirst: Bool) {
    if objectsFirst {
      dropObjects()
      dropLoop()
    } else {
      dropLoop()
      dropObjects()
    }
  }
}
