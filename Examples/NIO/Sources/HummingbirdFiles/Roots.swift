internal import NIOCore
internal import NIOPosixAIO
internal import Synchronization
internal import SystemPackage

/// The directory of the files, open on each loop that has served one.
final class Roots: Sendable {
  private let path: FilePath
  private let directories = Mutex<[ObjectIdentifier: LoopDirectory]>([:])

  init(_ path: FilePath) {
    self.path = path
  }

  func directory(on eventLoop: any EventLoop) async throws -> LoopDirectory {
    let loop = ObjectIdentifier(eventLoop)
    if let directory = directories.withLock({ $0[loop] }) { return directory }
    let opened = try await LoopFileSystem(on: eventLoop).openDirectory(at: path)
    return directories.withLock { directories in
      // Two requests may have opened it.
      let directory = directories[loop] ?? opened
      directories[loop] = directory
      return directory
    }
  }
}
