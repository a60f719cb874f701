import PosixAIO
import SystemPackage

@testable import Reactor

/// What the matrix needs and the loop may still call by other names: the only file to change then.
extension EventLoop {
  /// `offload(_:_:)`, whose completion gets the work's result or a refusal.
  func offloadOutcome<Value: Sendable>(
    _ work: @escaping @Sendable () -> Value,
    _ completion: @escaping (Result<Value, Errno>) -> Void
  ) {
    offload(work, completion)
  }

  /// `nextTurn(_:)`, which says whether the body will be called.
  func callNextTurn(_ body: @escaping () -> Void) -> Bool {
    nextTurn(body)
  }

  /// The turns of the loop's own runs so far.
  var turnCount: UInt64 { figures.turnCount }
}

extension Directory {
  /// A temporary file with a hidden name, as on a file system without `O_TMPFILE`.
  func namedTemporaryFile(_ handler: @escaping (Result<TemporaryFile, FileError>) -> Void) {
    temporaryFile(permissions: .ownerReadWrite, isNamed: true, handler)
  }
}
