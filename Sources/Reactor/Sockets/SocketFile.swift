internal import Glibc
internal import SystemPackage

/// The file that a Unix socket is bound to, identified so that another socket's file is not
/// removed.
struct SocketFile {
  private let path: FilePath
  private let device: dev_t
  private let number: ino_t

  /// Nil if the file is already gone.
  init?(_ path: FilePath) {
    guard let status = Self.status(path) else { return nil }
    self.path = path
    device = status.st_dev
    number = status.st_ino
  }

  /// Removes the file if it is still the same one. Wraps `unlink(2)`. A failure is ignored: the
  /// file is gone, or may not be removed and stays.
  func remove() {
    guard let status = Self.status(path), status.st_dev == device, status.st_ino == number else {
      return
    }
    _ = unsafe path.withPlatformString { unsafe unlink($0) }
  }

  private static func status(_ path: FilePath) -> stat? {
    var status = stat()
    let result = unsafe path.withPlatformString { unsafe lstat($0, &status) }
    return result == 0 ? status : nil
  }
}
