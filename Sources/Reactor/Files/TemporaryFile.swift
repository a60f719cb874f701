internal import Glibc
public import PosixAIO
internal import Synchronization
public import SystemPackage

/// A file without a name, or with a temporary one, until it is published.
///
/// If the file system supports `O_TMPFILE`, the file has no name before it is published, and
/// disappears with the process. Otherwise it has a temporary name in the directory, `.tmp-` and a
/// random number, which is removed when the file is discarded or dropped. You may drop it at any
/// time, even after its loop has ended; work in progress completes first.
@safe
public final class TemporaryFile: @unchecked Sendable {
  private enum State {
    case nameless
    /// It has a temporary name that must be removed.
    case named(TemporaryName)
    /// A call is changing the name.
    case publishing
    /// It has been published or discarded.
    case over
  }

  /// The open file, for reading and writing. Close it after publishing.
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
    // Dropped without `discard`. After the loop's end, the name's deinit removes it directly.
    guard case .named(let name) = state, file.core.thread.isCurrent, !file.core.hasEnded
    else { return }
    file.core.offloadCall(isCleanUp: true, as: .remove, temporaryName) { () throws(FileError) in
      try name.remove()
    } _: { _ in
      // An error cannot be reported.
    }
  }

  /// Gives the file its name, in the directory where it was created. Wraps `linkat(2)` and
  /// `renameat2(2)`.
  ///
  /// This syncs neither the file nor the directory. For durability, call ``File/sync(timeout:_:)``
  /// before, or receive the content with `durably: true`, and ``Directory/sync(_:)`` after.
  ///
  /// - Parameters:
  ///   - name: The name, in the directory where the file was created.
  ///   - replacing: Whether to replace an existing file with that name. If false, the call fails
  ///     with `EEXIST` if the name exists.
  ///   - handler: Receives whether an existing name was replaced. After an error the file can be
  ///     published under another name, or discarded. `ECANCELED` means that the loop was cut off:
  ///     the file may have its name, or may still receive it.
  public func publish(
    as name: FilePath.Component, replacing: Bool = true,
    _ handler: @escaping (Result<Bool, FileError>) -> Void
  ) {
    let target = FilePath(root: nil, [name])
    if let refusal = file.core.refusal {
      return file.core.refuse(.rename, temporaryName, to: target, refusal, handler)
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
      // An unnamed file can be linked only once: if the rename fails, it keeps this name.
      let name =
        if let linked { linked } else {
          try TemporaryName(linking: descriptor, as: temporaryName, in: directory)
        }
      return (name, Result { () throws(FileError) in try name.rename(to: target, replacing) })
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
  /// It is never refused, neither by a limit nor by the loop's end; see ``File/close(_:)``.
  ///
  /// - Parameter handler: Called once, after the file and its name are gone.
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

  /// - Returns: The former state, with the name to remove.
  private func endUse() -> State {
    if case .publishing = state {
      trap("TemporaryFile: wait for publish before discarding")
    }
    defer { state = .over }
    return state
  }

  /// A temporary file that a helper thread has created and passes to the loop.
  fileprivate struct Made: Sendable {
    let opened: File.Opened
    let path: FilePath
    /// Nil for an unnamed file.
    let name: TemporaryName?
  }
}

/// A temporary name in a directory. It is removed at the latest with the last reference.
private final class TemporaryName: Sendable {
  private let directory: SharedDescriptor
  private let path: FilePath
  private let isOver = Atomic<Bool>(false)

  /// Takes ownership of an existing name.
  init(_ path: FilePath, in directory: SharedDescriptor) {
    self.path = path
    self.directory = directory
  }

  /// Gives an unnamed file a name. Wraps `linkat(2)`.
  convenience init(
    linking descriptor: FileDescriptor, as path: FilePath, in directory: SharedDescriptor
  ) throws(FileError) {
    try FileSystemCalls.link(descriptor, to: path, in: directory.descriptor)
    self.init(path, in: directory)
  }

  deinit {
    // An error cannot be reported.
    try? remove()
  }

  /// Wraps `unlinkat(2)`. Does nothing if called again.
  func remove() throws(FileError) {
    guard !isOver.exchange(true, ordering: .relaxed) else { return }
    try FileSystemCalls.remove(.beneath(directory.descriptor, path))
  }

  /// - Returns: Whether an existing name was replaced. After a failure the temporary name still
  ///   exists.
  func rename(to newPath: FilePath, _ replacing: Bool) throws(FileError) -> Bool {
    let replaced = try FileSystemCalls.rename(
      .beneath(directory.descriptor, path), to: .beneath(directory.descriptor, newPath),
      replacing: replacing)
    isOver.store(true, ordering: .relaxed)
    return replaced
  }
}

extension Directory {
  /// Creates an unnamed file in this directory. Wraps `open(2)` with `O_TMPFILE`, or with `O_EXCL`
  /// if the file system does not support that.
  ///
  /// - Parameters:
  ///   - permissions: The permissions of the file, reduced by the process's umask.
  ///   - handler: Receives the file, open for reading and writing.
  public func temporaryFile(
    permissions: FilePermissions = File.defaultPermissions,
    _ handler: @escaping (Result<TemporaryFile, FileError>) -> Void
  ) {
    temporaryFile(permissions: permissions, isNamed: false, handler)
  }

  /// - Parameter isNamed: Whether to use a temporary name even if `O_TMPFILE` is supported.
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
  /// - Returns: Nil if the system does not support unnamed files, or could not give them a name.
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
    // Linking the file to a name requires /proc.
    let isInProc = unsafe descriptorPath(descriptor).withPlatformString {
      unsafe access($0, F_OK) == 0
    }
    guard !isInProc else { return descriptor }
    try close(descriptor, path: path)
    return nil
  }
}
