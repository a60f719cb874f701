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
    Directory.createDirectory(path, on: loop) { result in
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

  private static func takeLock(
    of directory: Directory, writesThrough: Bool,
    _ handler: @escaping (Result<DataFolder, StartFailure>) -> Void
  ) {
    let fail = { (reason: String) in
      handler(.failure(StartFailure("cannot lock \"\(directory.path)\": \(reason)")))
    }
    directory.openFile(FilePath(lockName), .readWrite, options: .create) { result in
      switch result {
      case .failure(let error): fail("\(error.errno)")
      case .success(let file):
        do throws(Errno) {
          try file.tryLock(.exclusive) { result in
            switch result {
            case .failure(let error): fail("\(error.errno)")
            case .success(false): fail("another server uses it")
            case .success(true):
              handler(.success(DataFolder(directory, writesThrough: writesThrough, file)))
            }
          }
        } catch {
          fail("\(error)")
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
    directory.openFile(FilePath(name), .readWrite, options: options, handler)
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
    var failure: FileError?
    do throws(Errno) {
      try write(bytes, at: offset) { result, _ in
        if case .failure(let error) = result { failure = error }
        if !syncing { handler(result.map { _ in }) }
      }
      guard syncing else { return }
      // Begun at once: it waits for the write by itself.
      syncOrFail { result in handler(failure.map { .failure($0) } ?? result) }
    } catch {
      loop.refuse(.write, path, error, handler)
    }
  }

  /// Brings everything to the disk; a refusal comes like any other failure.
  func syncOrFail(_ handler: @escaping (Result<Void, FileError>) -> Void) {
    do throws(Errno) {
      try dataSync { handler($0.map { _ in }) }
    } catch {
      loop.refuse(.dataSync, path, error, handler)
    }
  }

  /// Cuts the file; a refusal comes like any other failure.
  func truncateOrFail(
    to byteCount: Int64, _ handler: @escaping (Result<Void, FileError>) -> Void
  ) {
    do throws(Errno) {
      try truncate(to: byteCount, handler)
    } catch {
      loop.refuse(.truncate, path, error, handler)
    }
  }
}

extension Directory {
  /// Brings the names to the disk; a refusal comes like any other failure.
  func syncOrFail(_ handler: @escaping (Result<Void, FileError>) -> Void) {
    do throws(Errno) {
      try sync { handler($0.map { _ in }) }
    } catch {
      loop.refuse(.sync, path, error, handler)
    }
  }
}

extension EventLoop {
  /// Reports what was refused like any other failure, from the loop.
  fileprivate func refuse(
    _ operation: FileError.Operation, _ path: FilePath?, _ errno: Errno,
    _ handler: @escaping (Result<Void, FileError>) -> Void
  ) {
    let error = FileError(operation: operation, path: path, errno: errno)
    schedule(after: .zero) { handler(.failure(error)) }
  }
}
