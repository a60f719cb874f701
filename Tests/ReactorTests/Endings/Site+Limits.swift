import Dispatch
import Glibc
import PosixAIO
import Reactor
import SystemPackage
import TestSupport

/// What is in the way of a call until the site lets it go.
extension Site {
  /// Reads from empty pipes, of which one runs and the others wait.
  func fillQueue(requestCount: Int) throws {
    for _ in 0..<requestCount {
      let pipe = try emptyPipe()
      beginBlocker()
      try pipe.read(into: IOBuffer(capacity: 1), at: 0) { [blockers] _, _ in blockers.end() }
      // The first is handed over, the second waits for it.
      try turns(1)
    }
  }

  /// Work on a helper thread that waits for the cell.
  func fillHelpers() throws {
    let isLet = DispatchSemaphore(value: 0)
    whenLet { isLet.signal() }
    beginBlocker()
    try liveLoop().offload({ isLet.wait() }, { [blockers] _ in blockers.end() })
  }

  /// Has a turn pass, lets go what is in the way, and closes when all have ended.
  func endFilled(_ recorder: Recorder) throws {
    try turns(1)
    letCallEnd()
    let blockers = blockers
    try run { recorder.count > 0 && blockers.count == 0 }
    try close()
  }

  private func beginBlocker() {
    blockers.count += 1
  }

  /// A `close()` that would wait for ever without the site: for requests, not for what is cut.
  func closeAsItMay() throws {
    if closeWaits { letCallEnd() }
    try close()
  }
}

/// How many requests are in the way.
final class Blockers {
  fileprivate(set) var count = 0

  func end() {
    count -= 1
  }
}
