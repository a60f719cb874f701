internal import Glibc
public import PosixAIO
public import SystemPackage

/// A file without a name, or with one that nobody looks for, on its way to get its own.
///
/// Where the file system has it (`O_TMPFILE`), the file has no name before it is published, and
/// goes by itself with the process. Elsewhere it has a name of its own in the directory, `.tmp-`
/// and a random number, which is removed when the file is discarded or dropped.
@safe
public final class TemporaryFile {
  private enum State {
    /// It has a name that must be removed.
    case named
    case nameless
    /// A call is to change the name.
    case publishing
    /// It has its own name, or none any more.
    case over
  }

  /// The open file, for reading and writing. It is the caller's to close, after it was published.
  public let file: File

  private let directory: Directory
  private let temporaryName: FilePath
  private var state: State

  fileprivate init(_ made: Made, in directory: Directory) {
    file = File(made.opened, loop: directory.loop)
    self.directory = directory
    temporaryName = made.name
    state = made.isNamed ? .named : .nameless
  }

  deinit {
    guard case .named = state else { return }
    // Dropped without `discard`: what cannot be removed, nobody is left to be told of.
    directory.remove(temporaryName)
  }

  /// Gives the file its name, in the directory in which it was made. Wraps `linkat(2)` and
  /// `renameat2(2)`.
  ///
  /// What was written is not synced by this, nor is the directory: where it has to be durable,
  /// `sync` comes before, and the directory's `sync` behind.
  ///
  /// - Parameters:
  ///   - name: In the directory in which the file was made.
  ///   - replacing: Whether what has the name is replaced; if not, `EEXIST` is the outcome where
  ///     there is something.
  ///   - handler: Gets whether something was replaced. After an error the file can be published
  ///     under another name, or discarded.
  public func publish(
    as name: FilePath.Component, replacing: Bool = true,
    _ handler: @escaping (Result<Bool, FileError>) -> Void
  ) {
    let isNamed: Bool
    switch state {
    case .named: isNamed = true
    case .nameless: isNamed = false
    case .publishing, .over:
      preconditionFailure("TemporaryFile: publish it once, and not after it was discarded")
    }
    state = .publishing
    let (temporaryName, name) = (temporaryName, FilePath(root: nil, [name]))
    do throws(Errno) {
      try publish(temporaryName, as: name, isNamed: isNamed, replacing: replacing, handler)
    } catch {
      let error = FileError(operation: .rename, path: temporaryName, otherPath: name, errno: error)
      directory.loop.later { [self] in
        state = isNamed ? .named : .nameless
        handler(.failure(error))
      }
    }
  }

  private func publish(
    _ temporaryName: FilePath, as name: FilePath, isNamed: Bool, replacing: Bool,
    _ handler: @escaping (Result<Bool, FileError>) -> Void
  ) throws(Errno) {
    let descriptor = try file.queued.lendDescriptor()
    directory.offload { (directory) throws(FileError) in
      // A file without a name can be linked once only: if the rename fails, it keeps this one.
      if !isNamed { try FileSystemCalls.link(descriptor.descriptor, to: temporaryName, in: directory) }
      return Result { () throws(FileError) in
        try FileSystemCalls.rename(
          .beneath(directory, temporaryName), to: .beneath(directory, name), replacing: replacing)
      }
    } _: { [self] result in
      switch result {
      case .success(.success(let replaced)):
        state = .over
        handler(.success(replaced))
      case .success(.failure(let error)):
        state = .named
        handler(.failure(error))
      case .failure(let error):
        state = isNamed ? .named : .nameless
        handler(.failure(error))
      }
      file.queued.giveBackDescriptor()
    }
  }

  /// Closes the file and removes its temporary name, if it has one.
  ///
  /// - Parameter handler: Called once, when nothing is left of it.
  public func discard(_ handler: @escaping (Result<Void, FileError>) -> Void = { _ in }) {
    let isNamed = if case .named = state { true } else { false }
    if case .publishing = state {
      preconditionFailure("TemporaryFile: wait for publish before discarding")
    }
    state = .over
    file.close { [directory, temporaryName] result in
      guard isNamed else { return handler(result) }
      directory.remove(temporaryName, handler)
    }
  }

  /// A temporary file as a helper thread made it, on its way to the loop.
  fileprivate struct Made: Sendable {
    let opened: File.Opened
    let name: FilePath
    let isNamed: Bool
  }
}

extension Directory {
  /// Makes a file without a name in this directory. Wraps `open(2)` with `O_TMPFILE`, or with
  /// `O_EXCL` where the file system does not have that.
  ///
  /// - Parameters:
  ///   - permissions: The process's umask is taken off.
  ///   - handler: Gets the file, open for reading and writing.
  public func temporaryFile(
    permissions: FilePermissions = .ownerReadWrite,
    _ handler: @escaping (Result<TemporaryFile, FileError>) -> Void
  ) {
    temporaryFile(permissions: permissions, isNamed: false, handler)
  }

  /// - Parameter isNamed: Whether it has a name even where it needs none.
  func temporaryFile(
    permissions: FilePermissions, isNamed: Bool,
    _ handler: @escaping (Result<TemporaryFile, FileError>) -> Void
  ) {
    // Hidden, and different for every file.
    let number = String(UInt64.random(in: .min ... .max), radix: 16)
    let name = FilePath(".tmp-" + number)
    let path = path.appending(name.components)
    offload { (directory) throws(FileError) in
      let nameless =
        isNamed ? nil : try FileSystemCalls.openNameless(directory, path, permissions: permissions)
      let descriptor: FileDescriptor
      if let nameless {
        descriptor = nameless
      } else {
        descriptor = try FileSystemCalls.open(
          .beneath(directory, name), flags: O_RDWR | O_CREAT | O_EXCL, permissions: permissions)
      }
      return TemporaryFile.Made(
        opened: try File.Opened(descriptor, path: path), name: name, isNamed: nameless == nil)
    } _: { [self] result in
      handler(result.map { TemporaryFile($0, in: self) })
    }
  }
}

extension FileSystemCalls {
  /// - Parameter path: For messages.
  /// - Returns: Nil where such a file cannot be had, or could not be given a name.
  fileprivate static func openNameless(
    _ directory: FileDescriptor, _ path: FilePath, permissions: FilePermissions
  ) throws(FileError) -> FileDescriptor? {
    let flags = O_RDWR | LinuxFileCalls.temporaryFileFlag
    let descriptor: FileDescriptor
    do throws(FileError) {
      descriptor = try open(.beneath(directory, "."), flags: flags, permissions: permissions)
    } catch {
      // EISDIR comes from kernels that do not know the flag.
      guard [.notSupported, .isDirectory].contains(error.errno) else {
        throw FileError(operation: .open, path: path, errno: error.errno)
      }
      return nil
    }
    // The way to its name leads through /proc.
    let isInProc = unsafe descriptorPath(descriptor).withPlatformString {
      unsafe access($0, F_OK) == 0
    }
    guard !isInProc else { return descriptor }
    try close(descriptor, path: path)
    return nil
  }
}
