public import PosixAIO
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

  fileprivate init(_ made: UnpublishedFile, in directory: Directory) {
    file = File(made.opened, on: directory.core)
    self.directory = directory.sharedDescriptor
    temporaryName = made.temporaryPath
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
    let name = UnpublishedFile.randomPath()
    let path = path.appending(name.components)
    let shared = sharedDescriptor
    offload(as: .open, path) { (_) throws(FileError) in
      try UnpublishedFile(in: shared, name, path: path, permissions: permissions, isNamed: isNamed)
    } _: { [self] result in
      handler(result.map { TemporaryFile($0, in: self) })
    }
  }
}
