import Glibc
public import PosixAIO
import SystemPackage

/// A test that waited for longer than any machine needs.
public struct DeadlinePassed: Error, CustomStringConvertible {
  /// What was not done yet.
  public let description: String

  /// - Parameter description: What was not done.
  public init(description: String) { self.description = description }
}

/// How long a test waits for something that must happen. Far more than any machine needs; it only
/// ends a test that would hang.
public let testDeadline = Duration.seconds(30)

extension CompletionQueue {
  /// Does what a loop does: polls the descriptor and drains, until nothing is unfinished.
  public func runUntilIdle() throws {
    try run { unfinishedCount == 0 }
  }

  /// Polls the descriptor and drains until `condition` holds.
  public func run(until condition: () -> Bool) throws {
    let end = ContinuousClock.now + testDeadline
    while !condition() {
      let remaining = end - .now
      guard remaining > .zero else {
        throw DeadlinePassed(description: "unfinished: \(unfinishedCount), \(statistics)")
      }
      var polled = pollfd(fd: descriptor.rawValue, events: Int16(POLLIN), revents: 0)
      let milliseconds = Int32(remaining.components.seconds * 1000 + 1)
      guard unsafe poll(&polled, 1, milliseconds) == 1 else { continue }
      drain()
    }
  }
}
