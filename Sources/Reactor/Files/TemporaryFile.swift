internal import Glibc
public import PosixAIO
internal import Synchronization
public import SystemPackage

/// A file without a name, or with one that nobody looks for, on its way to get its own.
///
/// Where the file system has it (`O_TMPFILE`), the file has no name before it is published, and
/// goes by itself with the process. Elsewhere it has a name of its own in the directory, `.tmp-`
/// and a random number, which is removed when the file is discarded or dropped. It may be dropped
/// at any time, also when its loop has ended; what is in progress comes to its end first.
@safe
public final class TemporaryFile: @unchecked Sendable {
  private enum State {
    case nameless
    /// It has a name that must be removed.
    case named(TemporaryName)
    /// A call is to change the name.
    case publishing
    /// It has its own name, or none any more.
    case over
  }

  /// The open file, for reading and writing. It is the caller's to close, after it was published.
  public let file: File

  private let directory: SharedDescriptor
  private let temporaryName: FilePath
  private var state: State

  fileprivate init(_ made: Made, in directory: Directory) {
    file = File(made.opened, on: directory.core)
    self.directory = directory.sharedDescriptor
    temporaryName = made.path
    state = made.name.map { .named($0) } ?? .nameless
  }

  deinit {
    // Dropped without `discard`. Where the loop is gone, the name removes itself here and now.
    guard case .named(let name) = state, file.core.thread.isCurrent, !file.core.hasEnded
    else { return }
    file.core.offloadCall(isCleanUp: true, as: .remove, temporaryName) { () throws(FileError) in
      try name.remove()
    } _: { _ in
      // What cannot be removed, nobody is left to be told of.
    }
  }

  /// Gives the file its name, in the directory in which it was made. Wraps `linkat(2)` and
  /// `renameat2(2)`.
  ///
  /// What was written is not synced by this, nor is the directory: where it has to be durable,
  /// ``File/sync(timeout:_:)`` comes before, and ``Directory/sync(_:)`` after.
  ///
  /// - Parameters:
  ///   - name: In the directory in which the file was made.
  ///   - replacing: Whether what has the name is replaced; if not, `EEXIST` is the outcome where
  ///     there is something.
  ///   - handler: Gets whether something was replaced. After an error the file can be published
  ///     under another name, or discarded. `ECANCELED` means that the loop was cut off: the file
  ///     may have got its name, or still get it.
  public func publish(
    as name: FilePath.Component, replacing: Bool = true,
    _ handler: @escaping (Result<Bool, FileError>) -> Void
  ) {
    let goal = FilePath(root: nil, [name])
    if let refusal = file.core.refusal {
      return file.core.refuse(.rename, temporaryName, to: goal, refusal, handler)
    }
    let former = state
    let linked: TemporaryName?
    switch former {
    case .named(let name): linked = name
    case .nameless: linked = nil
    case .publishing, .over:
      trap("TemporaryFile: publish it once, and not after it was discarded")
    }
    state = .publishing
    file.offload(as: .rename, named: temporaryName) {
      [directory, temporaryName] (descriptor) throws(FileError) in
      // A file without a name can be linked once only: if the rename fails, it keeps this one.
      let name =
        if let linked { linked } else {
          try TemporaryName(linking: descriptor, as: temporaryName, in: directory)
        }
      return (name, Result { () throws(FileError) in try name.rename(to: goal, replacing) })
    } _: { [self] result in
      switch result {
      case .success((_, .success(let replaced))):
        state = .over
        handler(.success(replaced))
      case .success((let name, .failure(let error))):
        state = .named(name)
        handler(.failure(error))
      case .failure(let error):
        state = former
        handler(.failure(error))
      }
    }
  }

  /// Closes the file and removes its temporary name, if it has one.
  ///
  /// Nothing refuses it, no limit and no end of the loop; see ``File/close(_:)``.
  ///
  /// - Parameter handler: Called once, when nothing is left of it.
  public func discard(_ handler: @escaping (Result<Void, FileError>) -> Void = { _ in }) {
    let core = file.core
    core.checkAccess()
    let former = core.hasEnded ? core.afterEnd { endUse() } : endUse()
    file.close { [temporaryName] closed in
      guard case .named(let name) = former else { return handler(closed) }
      core.offloadCall(isCleanUp: true, as: .remove, temporaryName) { () throws(FileError) in
        try name.remove()
      } _: { removed in
        handler(removed)
      }
    }
  }

  /// - Returns: What there was to give back.
  private func endUse() -> State {
    if case .publishing = state {
      trap("TemporaryFile: wait for publish before discarding")
    }
    defer { state = .over }
    return state
  }

  /// A temporary file as a helper thread made it, on its way to the loop.
  fileprivate struct Made: Sendable {
    let opened: File.Opened
    let path: FilePath
    /// Nil where it has none.
    let name: TemporaryName?
  }
}

/// A temporary name in a directory. It is removed at the latest when nobody refers to it any more.
private final class TemporaryName: Sendable {
  private let directory: SharedDescriptor
  private let path: FilePath
  private let isOver = Atomic<Bool>(false)

  /// Owns a name that a file has.
  init(_ path: FilePath, in directory: SharedDescriptor) {
    self.path = path
    self.directory = directory
  }

  /// Gives a file without a name one. Wraps `linkat(2)`.
  convenience init(
    linking descriptor: FileDescriptor, as path: FilePath, in directory: SharedDescriptor
  ) throws(FileError) {
    try FileSystemCalls.link(descriptor, to: path, in: directory.descriptor)
    self.init(path, in: directory)
  }

  deinit {
    // Nobody is left to be told of a failure.
    try? remove()
  }

  /// Wraps `unlinkat(2)`. Does nothing the second time.
  func remove() throws(FileError) {
    guard !isOver.exchange(true, ordering: .relaxed) else { return }
    try FileSystemCalls.remove(.beneath(directory.descriptor, path))
  }

  /// - Returns: Whether something was replaced. After a failure the name is still here.
  func rename(to newPath: FilePath, _ replacing: Bool) throws(FileError) -> Bool {
    let replaced = try FileSystemCalls.rename(
      .beneath(directory.descriptor, path), to: .beneath(directory.descriptor, newPath),
      replacing: replacing)
    isOver.store(true, ordering: .relaxed)
    return replaced
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
    permissions: FilePermissions = File.defaultPermissions,
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
    let shared = sharedDescriptor
    offload(as: .open, path) { (directory) throws(FileError) in
      let nameless =
        isNamed ? nil : try FileSystemCalls.openNameless(directory, path, permissions: permissions)
      let descriptor: FileDescriptor
      if let nameless {
        descriptor = nameless
      } else {
        descriptor = try FileSystemCalls.open(
          .beneath(directory, name), flags: O_RDWR | O_CREAT | O_EXCL, permissions: permissions)
      }
      let owned = nameless == nil ? TemporaryName(name, in: shared) : nil
      return TemporaryFile.Made(
        opened: try File.Opened(descriptor, path: path), path: name, name: owned)
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
