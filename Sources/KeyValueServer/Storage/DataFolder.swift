import Glibc
import PosixAIO
import ProgramSupport
import Reactor
import SystemPackage

/// The folder of a server's files, locked against other servers.
final class DataFolder {
  static let logName = "aio-kv.log"
  static let rewrittenLogName = "aio-kv.log.rewrite"
  static let lockName = "aio-kv.lock"

  let loop: EventLoop
  let directory: Directory
  /// Whether what is written to a log is on the disk when the write ends (`O_DSYNC`): one operation
  /// of a helper thread instead of two, with a turn of the loop between them.
  let writesThrough: Bool
  /// Holds the lock as long as it is open.
  private let lock: File

  private init(_ directory: Directory, writesThrough: Bool, _ lock: File) {
    self.writesThrough = writesThrough
    loop = directory.loop
    self.directory = directory
    self.lock = lock
  }

  /// Opens a folder, makes it if it is missing, and locks it.
  static func open(
    _ path: FilePath, writesThrough: Bool, on loop: EventLoop,
    _ handler: @escaping (Result<DataFolder, StartFailure>) -> Void
  ) {
    let fail = { (what: String, error: Errno) in
      handler(.failure(StartFailure("cannot \(what) \"\(path)\": \(error)")))
    }
    Directory.createDirectory(path, permissions: .ownerReadWriteExecute, on: loop) { result in
      if case .failure(let error) = result, error.errno != .fileExists {
        return fail("make", error.errno)
      }
      Directory.open(path, on: loop) { result in
        switch result {
        case .failure(let error): fail("open", error.errno)
        case .success(let directory): takeLock(of: directory, writesThrough: writesThrough, handler)
        }
      }
    }
  }

  /// Less than the default: what clients store is for the server alone, which asks for no password.
  /// So is the directory, where the server makes it.
  private static let permissions = FilePermissions.ownerReadWrite

  private static func takeLock(
    of directory: Directory, writesThrough: Bool,
    _ handler: @escaping (Result<DataFolder, StartFailure>) -> Void
  ) {
    let fail = { (reason: String) in
      handler(.failure(StartFailure("cannot lock \"\(directory.path)\": \(reason)")))
    }
    directory.openFile(
      FilePath(lockName), .readWrite, options: .create, permissions: permissions
    ) { result in
      switch result {
      case .failure(let error): fail("\(error.errno)")
      case .success(let file):
        file.tryLock(.exclusive) { result in
          switch result {
          case .failure(let error): fail("\(error.errno)")
          case .success(false): fail("another server uses it")
          case .success(true):
            handler(.success(DataFolder(directory, writesThrough: writesThrough, file)))
          }
        }
      }
    }
  }

  /// Opens a log to read and to write it.
  func openLog(
    _ name: String = logName, options: FileDescriptor.OpenOptions = [],
    _ handler: @escaping (Result<File, FileError>) -> Void
  ) {
    var options = options.union(.create)
    if writesThrough { options.insert(FileDescriptor.OpenOptions(rawValue: O_DSYNC)) }
    directory.openFile(
      FilePath(name), .readWrite, options: options, permissions: Self.permissions, handler)
  }
}

extension File {
  /// Writes bytes, then brings them to the disk if asked for.
  ///
  /// - Parameter handler: Called once, whatever fails, and never from inside this call.
  func write(
    _ bytes: consuming IOBuffer, at offset: Int64, syncing: Bool,
    _ handler: @escaping (Result<Void, FileError>) -> Void
  ) {
    // A sync does not cover a write that was refused, so both have to succeed.
    var failure: FileError?
    var unfinishedCount = syncing ? 2 : 1
    let ended = { (result: Result<Void, FileError>) in
      if case .failure(let error) = result { failure = failure ?? error }
      unfinishedCount -= 1
      guard unfinishedCount == 0 else { return }
      handler(failure.map { .failure($0) } ?? .success(()))
    }
    write(bytes, at: offset) { result, _ in ended(result.map { _ in }) }
    // Begun at once: it waits for the write by itself.
    if syncing { dataSync(ended) }
  }
}
