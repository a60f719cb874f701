#if NIO
  internal import Glibc
  internal import NIOCore
  internal import NIOPosix
  internal import PosixAIO
  internal import Synchronization
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
    let truncations: TruncationWatch
    private let thread = Atomic(pthread_self())
    private var turn = CachedReadTurn()
    private var isDrainDue = false
    private var hasEnded = false

    /// The loop of each thread.
    private static let ofThread = ThreadSpecificVariable<LoopQueue>()

    /// The queue of a loop. Call it on the loop.
    ///
    /// - Throws: The error of ``/PosixAIO/CompletionQueue/init(configuration:)``; `EOPNOTSUPP` for
    ///   a loop that watches no descriptors, such as `EmbeddedEventLoop`; `ECANCELED` for a loop
    ///   that shuts down.
    static func of(_ eventLoop: any EventLoop) throws(Errno) -> LoopQueue {
      eventLoop.preconditionInEventLoop()
      if let present = ofThread.currentValue, present.eventLoop === eventLoop { return present }
      let made = try LoopQueue(on: eventLoop)
      ofThread.currentValue = made
      return made
    }

    /// Whether the calling thread is the loop's, and the loop has not ended.
    var isCurrent: Bool { thread.load(ordering: .relaxed) == pthread_self() }

    /// Whether it takes new work. Call it on the loop.
    var isOpen: Bool { !hasEnded }

    private init(on eventLoop: any EventLoop) throws(Errno) {
      guard NIOPipeBootstrap(validatingGroup: eventLoop) != nil else { throw .notSupported }
      self.eventLoop = eventLoop
      queue = try CompletionQueue()
      calls = BlockingCalls(on: eventLoop)
      truncations = TruncationWatch(on: eventLoop)
      queue.requestDrain = { [unowned self] time in requestDrain(time) }
      var channels: [any Channel] = []
      do throws(Errno) {
        for source in SourceHandler.sources {
          if let channel = try watch(source) { channels.append(channel) }
          // The loop shuts down, and watches nothing more.
          guard isOpen else { throw .canceled }
        }
      } catch {
        end()
        for channel in channels { channel.close(promise: nil) }
        throw error
      }
      if !SourceHandler.sources.contains(.signals) { queue.leaveCurrentThread() }
    }

    /// - Returns: The source's channel; nil if NIO made none. Then, and if the loop does not take
    ///   the channel, the queue has ended.
    private func watch(_ source: CompletionQueue.Source) throws(Errno) -> (any Channel)? {
      // NIO closes what it watches.
      let duplicate = FileDescriptor(
        rawValue: try checked(fcntl(queue.descriptor(of: source).rawValue, F_DUPFD_CLOEXEC, 0)))
      let made = NIOLoopBoundBox<(any Channel)?>(nil, eventLoop: eventLoop)
      // The bootstrap was valid for this loop before.
      NIOPipeBootstrap(group: eventLoop)
        .channelOption(.maxMessagesPerRead, value: 1)
        .channelOption(
          .recvAllocator,
          value: FixedSizeRecvByteBufferAllocator(capacity: CompletionQueue.sourceReadByteCount)
        )
        .channelInitializer { [self] channel in
          channel.eventLoop.makeCompletedFuture {
            made.value = channel
            try channel.pipeline.syncOperations.addHandler(SourceHandler(source, self))
          }
        }
        .takingOwnershipOfDescriptor(input: duplicate.rawValue)
        .assumeIsolated()
        .whenFailure { [self] _ in
          // NIO has closed the channel, if it made one, and with it the descriptor.
          if made.value == nil { try? duplicate.close() }
          end()
        }
      return made.value
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
      queue.drainReceived()
    }

    /// A source has been read, so the loop has polled since the last time.
    func wasRead(_ source: CompletionQueue.Source) {
      if source == .pipe { startReadTurn() }
      drain()
    }

    private func startReadTurn() {
      turn.start()
      if turn.hasWaiting { resumeReads() }
    }

    private func resumeReads() {
      for _ in 0..<CachedReadTurn.resumeLimit {
        guard let next = turn.takeWaiting() else { break }
        next.resume()
      }
      if turn.hasPlaceForWaiting {
        // After the tasks that were resumed, since NIO keeps the order.
        eventLoop.assumeIsolated().execute { [self] in resumeReads() }
      } else if turn.hasWaiting {
        queue.wakeUp()
      }
    }

    // MARK: - Cached reads

    /// Whether a read may look in the page cache now, inside the call that makes it. If not, it
    /// waits with ``afterTurn(_:of:_:)`` or ``nextTurn(_:of:)``.
    func mayReadCached(_ byteCount: Int) -> Bool {
      turn.take(byteCount)
    }

    /// Calls `body` when a read may look in the page cache, or when the loop ends.
    func afterTurn(_ byteCount: Int, of file: LoopFile, _ body: @escaping () -> Void) {
      wait(byteCount, file, .call(body))
    }

    /// Suspends a task until it may look in the page cache, or until the loop ends.
    nonisolated(nonsending) func nextTurn(_ byteCount: Int, of file: LoopFile) async {
      await unsafe withUnsafeContinuation { continuation in
        unsafe wait(byteCount, file, .task(continuation))
      }
    }

    private func wait(
      _ byteCount: Int, _ file: LoopFile, _ resumption: CachedReadTurn.Resumption
    ) {
      guard !hasEnded else { return resumption.resume() }
      // The pipe's next read starts a turn.
      if !turn.hasWaiting { queue.wakeUp() }
      file.readWillWait()
      turn.add(CachedReadTurn.Waiting(byteCount: byteCount, file: file, resumption: resumption))
    }

    // MARK: - The end

    /// How long a loop that shuts down waits for operations of regular files that run.
    private static let retireLimit = Duration.seconds(10)

    /// Completes everything, with `ECANCELED` for what has no result yet.
    func end() {
      guard !hasEnded else { return }
      hasEnded = true
      calls.end()
      for waiting in turn.removeAllWaiting() { waiting.resume() }
      queue.beginEnd()
      while queue.unfinishedCount > 0, queue.drainReceived() > 0 {}
      queue.retire(waitingAtMost: Self.retireLimit)
      // The thread may end, and another one get its number.
      thread.store(0, ordering: .relaxed)
    }
  }
#endif
