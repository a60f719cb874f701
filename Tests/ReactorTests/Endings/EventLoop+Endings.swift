import PosixAIO
import SystemPackage

@testable import Reactor

/// What the matrix needs of the loop and is not public.
extension EventLoop {
  /// Calls on helper threads that have not ended.
  var helperCallCount: Int { core.helpers.unfinishedCount }

  /// Looks for dropped connections soon after one was made, since the look keeps a borrowed base
  /// running.
  func searchForDropsSoon() { core.sockets.dropSearch.firstDelay = .milliseconds(10) }

  /// The turns of the loop's own runs so far.
  var turnCount: UInt64 { statistics.turnCount }
}

extension Directory {
  /// A temporary file with a hidden name, as on a file system without `O_TMPFILE`.
  func namedTemporaryFile(_ handler: @escaping (Result<TemporaryFile, FileError>) -> Void) {
    temporaryFile(permissions: .ownerReadWrite, isNamed: true, handler)
  }
}
