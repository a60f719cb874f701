import Glibc
import PosixAIO
import ProgramSupport
import Reactor
import SystemPackage

/// The directory of a server's files, locked against other servers.
final class DataDirectory {
  static let logName = "aio-kv.log"
  static let rewrittenLogName = "aio-kv.log.rewrite"
  static let lockName = "aio-kv.lock"

  let loop: EventLoop
  let directory: Directory
  /// Whether a write to the log ends only when its bytes are on the disk (`O_DSYNC`). That takes
  /// one operation of a helper thread instead of two with a turn of the loop between them.
  let writesThrough: Bool
  /// Holds the lock while it is open.
  private let lock: File
  /// Holds a lock of the directory itself, which remains if the lock file is removed; nil on file
  /// systems without such locks.
  private let directoryLock: FileDescriptor?

  private init(
    _ directory: Directory, writesThrough: Bool, _ lock: File, _ directoryLock: FileDescriptor?
  ) {
    self.writesThrough = writesThrough
    loop = directory.loop
    self.directory = directory
    self.lock = lock
    self.directoryLock = directoryLock
  }

  deinit {
    // Nothing was written through it, so nothing can fail.
    try? directoryLock?.close()
  }

  /// Opens a directory, creates it if it is missing, and locks it.
  static func open(
    _ path: FilePath, writesThrough: Bool, on loop: EventLoop,
    _ handler: @escaping (Result<DataDirectory, StartFailure>) -> Void
  ) {
    let fail = { (what: String, error: Errno) in
      handler(.failure(StartFailure("cannot \(what) \"\(path)\": \(error)")))
    }
    Directory.createDirectory(path, permissions: .ownerReadWriteExecute, on: loop) { result in
      if case .failure(let error) = result, error.errno != .fileExists {
        return fail("create", error.errno)
      }
      Directory.open(path, on: loop) { result in
        switch result {
        case .failure(let error): fail("open", error.errno)
        case .success(let directory): takeLock(of: directory, writesThrough: writesThrough, handler)
        }
      }
    }
  }

  /// Stricter than the default: stored data is for the server alone, and clients need no password.
  /// A directory that the server creates gets the same.
  private static let permissions = FilePermissions.ownerReadWrite

  private static func takeLock(
    of directory: Directory, writesThrough: Bool,
    _ handler: @escaping (Result<DataDirectory, StartFailure>) -> Void
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
            let descriptor: FileDescriptor?
            do throws(Errno) {
              descriptor = try lockDirectory(directory.path)
            } catch {
              return fail(error == .wouldBlock ? "another server uses it" : "\(error)")
            }
            handler(
              .success(DataDirectory(directory, writesThrough: writesThrough, file, descriptor)))
          }
        }
      }
    }
  }

  /// Locks a directory. Wraps flock(2), which does not wait here.
  ///
  /// - Returns: A descriptor that holds the lock; nil if the file system has no such locks.
  /// - Throws: `EWOULDBLOCK` if another process holds the lock.
  private static func lockDirectory(_ path: FilePath) throws(Errno) -> FileDescriptor? {
    let number = unsafe path.withPlatformString {
      unsafe Glibc.open($0, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    }
    guard number >= 0 else { throw Errno(rawValue: errno) }
    guard flock(number, LOCK_EX | LOCK_NB) != 0 else { return FileDescriptor(rawValue: number) }
    let error = Errno(rawValue: errno)
    Glibc.close(number)
    if error == .wouldBlock { throw error }
    return nil
  }

  /// Opens a log for reading and writing.
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
  /// Writes bytes and, if `syncing`, flushes them to the disk.
  ///
  /// - Parameter handler: Called exactly once, and never inside this call.
  func write(
    _ bytes: consuming IOBuffer, at offset: Int64, syncing: Bool,
    _ handler: @escaping (Result<Void, FileError>) -> Void
  ) {
    // A sync does not cover a refused write, so both have to succeed.
    var failure: FileError?
    var unfinishedCount = syncing ? 2 : 1
    let ended = { (result: Result<Void, FileError>) in
      if case .failure(let error) = result { failure = failure ?? error }
      unfinishedCount -= 1
      guard unfinishedCount == 0 else { return }
      handler(failure.map { .failure($0) } ?? .success(()))
    }
    write(bytes, at: offset) { result, _ in ended(result.map { _ in }) }
    // Started immediately: the sync waits for the write by itself.
    if syncing { dataSync(ended) }
  }
}
