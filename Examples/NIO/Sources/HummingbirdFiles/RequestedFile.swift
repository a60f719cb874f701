internal import NIOCore
internal import NIOPosixAIO
internal import Synchronization
internal import SystemPackage

/// The file of a request: opened when its attributes are asked for, and sent with the response.
public final class RequestedFile: Sendable {
  let path: FilePath
  private let file = Mutex<(file: LoopFile, byteCount: Int64)?>(nil)

  init(path: FilePath) {
    self.path = path
  }

  deinit {
    // Not sent: a request for the head alone, or for what the client has.
    if let file = take()?.file { file.close().whenComplete { _ in } }
  }

  func opened(_ opened: LoopFile, byteCount: Int64) {
    file.withLock { $0 = (opened, byteCount) }
  }

  func take() -> (file: LoopFile, byteCount: Int64)? {
    file.withLock { $0.take() }
  }
}
