#if NIO
  public import NIOCore
  public import NIOPosix
  internal import SystemPackage

  /// The files of an event loop.
  ///
  /// ```swift
  /// let fileSystem = LoopFileSystem(on: channel.eventLoop)
  /// let page = try await fileSystem.withFile(forReadingAt: "index.html") { file in
  ///   try await file.readToEnd()
  /// }
  /// ```
  ///
  /// Each loop has one completion queue, which all values of this type share. It is made with the
  /// first operation, and ends when the loop shuts down: operations in progress then complete with
  /// `ECANCELED`, unless their result is known. The loop waits up to 10 seconds for reads and
  /// writes of regular files that the kernel has begun, and not for those of pipes, sockets and
  /// terminals.
  ///
  /// **Errors of a loop.** The first operation, and every later one, fails
  /// - with `EBUSY` if the process has no real-time signal left. Each loop takes one of them; Linux
  ///   has 30 for programs, so at most 30 loops of a process can have files;
  /// - with `EOPNOTSUPP` for a loop that watches no descriptors, such as `EmbeddedEventLoop`;
  /// - with `EMFILE`, `ENFILE` or `ENOMEM` if the queue's descriptors cannot be opened.
  public struct LoopFileSystem: LoopFileNamespace {
    /// Where paths begin: absolute ones at the root, others at the process's working directory.
    public let scope: LoopFileScope

    /// Creates a value. Starts nothing.
    ///
    /// - Parameters:
    ///   - eventLoop: A loop of NIOPosix. All calls may be made on any thread.
    ///   - threadPool: For calls that may block, such as `open(2)`. A call on a pool that has shut
    ///     down fails with `ECANCELED`.
    public init(on eventLoop: any EventLoop, threadPool: NIOThreadPool = .singleton) {
      scope = LoopFileScope(eventLoop: eventLoop, pool: threadPool, directory: nil)
    }
  }
#endif
