#if NIO
  internal import Glibc
  internal import NIOCore
  internal import NIOPosix
  internal import PosixAIO
  internal import SystemPackage
  internal import struct SystemPackage.FileDescriptor

  /// Where a completion queue and an event loop of SwiftNIO meet: the loop watches the queue's
  /// sources, and drains the queue in its turns.
  ///
  /// There is one on a loop, made when the loop's files are first used. It ends with the loop: NIO
  /// closes the channels of a loop that it shuts down.
  ///
  /// Sendable: it is used on its loop only, which the queue checks.
  @safe
  final class LoopQueue: @unchecked Sendable {
    let queue: CompletionQueue
    let eventLoop: any EventLoop
    let calls: BlockingCalls
    let memory = BufferPool()
    private var budget = CachedReadBudget()
    private var isDrainDue = false
    private var hasEnded = false

    /// The loop of each thread.
    private static let ofThread = ThreadSpecificVariable<LoopQueue>()

    /// The queue of a loop. Call it on the loop.
    ///
    /// - Throws: The error of `CompletionQueue.init(configuration:)`; `EOPNOTSUPP` for a loop that watches no descriptors, such as `EmbeddedEventLoop`.
    static func of(_ eventLoop: any EventLoop) throws(Errno) -> LoopQueue {
      eventLoop.preconditionInEventLoop()
      if let present = ofThread.currentValue, present.eventLoop === eventLoop { return present }
      let made = try LoopQueue(on: eventLoop)
      ofThread.currentValue = made
      return made
    }

    private init(on eventLoop: any EventLoop) throws(Errno) {
      guard NIOPipeBootstrap(validatingGroup: eventLoop) != nil else { throw .notSupported }
      self.eventLoop = eventLoop
      queue = try CompletionQueue()
      calls = BlockingCalls(on: eventLoop)
      queue.requestDrain = { [unowned self] time in requestDrain(time) }
      do throws(Errno) {
        for source in SourceHandler.sources { try watch(source) }
      } catch {
        end()
        throw error
      }
      if !SourceHandler.sources.contains(.signals) { queue.leaveCurrentThread() }
    }

    private func watch(_ source: CompletionQueue.Source) throws(Errno) {
      // NIO closes what it watches.
      let duplicate = FileDescriptor(
        rawValue: try checked(fcntl(queue.descriptor(of: source).rawValue, F_DUPFD_CLOEXEC, 0)))
      // The bootstrap was valid for this loop before.
      NIOPipeBootstrap(group: eventLoop)
        .channelOption(.maxMessagesPerRead, value: 1)
        .channelOption(
          .recvAllocator,
          value: FixedSizeRecvByteBufferAllocator(capacity: CompletionQueue.sourceReadByteCount)
        )
        .channelInitializer { [self] channel in
          channel.eventLoop.makeCompletedFuture {
            try channel.pipeline.syncOperations.addHandler(SourceHandler(source, self))
          }
        }
        .takingOwnershipOfDescriptor(input: duplicate.rawValue)
        .assumeIsolated()
        .whenFailure { [self] _ in
          try? duplicate.close()
          end()
        }
    }

    // MARK: - Turns

    private func requestDrain(_ time: CompletionQueue.DrainTime) {
      switch time {
      case .thisTurn: drainSoon()
      // NIO runs what `execute` adds before it polls again; only a descriptor comes after that.
      case .nextTurn: queue.wakeUp()
      }
    }

    private func drainSoon() {
      guard !isDrainDue, !hasEnded else { return }
      isDrainDue = true
      eventLoop.assumeIsolated().execute { [self] in
        if isDrainDue { drain() }
      }
    }

    private func drain() {
      isDrainDue = false
      guard !hasEnded else { return }
      let hits = queue.statistics.cacheHitCount
      queue.drainReceived(cachedReadLimit: budget.readCount)
      budget.take(reads: Int(queue.statistics.cacheHitCount - hits))
    }

    /// A source has been read, so the loop has polled since the last time.
    func wasRead(_ source: CompletionQueue.Source) {
      if source == .pipe { budget = CachedReadBudget() }
      drain()
    }

    /// Whether a read of this size may look in the page cache now, inside the call that makes it.
    func mayReadCached(_ byteCount: Int) -> Bool {
      guard !hasEnded else { return false }
      if budget.take(byteCount) { return true }
      // The pipe's next read fills the budget.
      queue.wakeUp()
      return false
    }

    // MARK: - The end

    /// How long a loop that shuts down waits for operations of regular files that run.
    private static let retireLimit = Duration.seconds(10)

    /// Completes everything, with `ECANCELED` for what has no result yet.
    func end() {
      guard !hasEnded else { return }
      hasEnded = true
      calls.end()
      queue.beginEnd()
      while queue.unfinishedCount > 0, queue.drainReceived() > 0 {}
      queue.retire(waitingAtMost: Self.retireLimit)
    }
  }

  /// How many cached reads a loop completes until it looks at its sockets again.
  struct CachedReadBudget {
    /// The most reads.
    static let readLimit = 8
    /// The most bytes.
    static let byteLimit = 128 * 1024

    private(set) var readCount = readLimit
    private var byteCount = byteLimit

    /// Takes the place of one read; false if there is none left. A single read may have any size.
    mutating func take(_ byteCount: Int) -> Bool {
      guard readCount > 0, byteCount <= self.byteCount || self.byteCount == Self.byteLimit else {
        return false
      }
      readCount -= 1
      self.byteCount = max(0, self.byteCount - byteCount)
      return true
    }

    mutating func take(reads count: Int) {
      readCount = max(0, readCount - count)
    }
  }
#endif
