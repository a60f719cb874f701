#if NIO
  internal import NIOCore
  internal import PosixAIO
  internal import SystemPackage

  /// A send of a file range to a channel, piece by piece.
  ///
  /// A region of the page cache goes to the channel alone: the next one is looked up in the page
  /// cache only after NIO has written it. What the page cache lacks is read by the queue, one chunk
  /// while the channel writes the one before.
  ///
  /// It keeps itself alive until the channel has no piece of it and the queue no read. The
  /// descriptor is lent for as long, so a close of the file waits.
  @safe
  final class FileSender {
    private let file: LoopFile
    private let outlet: Outlet
    private let promise: EventLoopPromise<Int64>
    private let use: SharedDescriptor.Use
    private var regions: CachedRegions
    private let end: Int64
    /// The offset of the next byte that the channel does not have.
    private var offset: Int64
    private var doneByteCount: Int64 = 0

    /// The pieces that the channel has.
    private var pieceCount = 0
    /// The end of the region that the channel has.
    private var regionEnd: Int64?
    private var isReading = false
    /// The channel has the message that follows the last piece.
    private var hasWrittenLast = false
    /// Pieces are being sent further up the stack.
    private var isAdvancing = false
    private var isWaitingForTurn = false
    private var turnByteCount: Int64 = 0
    private var hasEnded = false
    private var isReleased = false

    /// Made for the first region. It does not own the descriptor.
    private var handle: NIOFileHandle?
    /// Made for the first read that waits, which a close of the file does not affect.
    private var lentFile: AIOFile?

    /// - Parameters:
    ///   - known: The file's status; nil asks for it here.
    ///   - range: Nil sends the whole file.
    ///   - allowsRegions: False also for files whose calls may wait for a server.
    ///   - promise: Gets the number of bytes, or a ``FileTransferError``.
    /// - Throws: Why nothing was started. The promise is then the caller's.
    init(
      _ file: LoopFile, _ known: FileStatus?, _ range: Range<Int64>?, to outlet: Outlet,
      allowsRegions: Bool, _ promise: EventLoopPromise<Int64>
    ) throws(FileError) {
      offset = range?.lowerBound ?? 0
      do throws(Errno) {
        use = try file.queued.lendDescriptor()
      } catch {
        throw FileError(operation: .read, path: file.path, offset: offset, errno: error)
      }
      let status: FileStatus
      do throws(FileError) {
        status =
          if let known { known } else {
            try FileSystemCalls.status(of: use.descriptor, path: file.path)
          }
      } catch {
        file.queued.giveBackDescriptor()
        throw error
      }
      self.file = file
      self.outlet = outlet
      self.promise = promise
      end = range?.upperBound ?? status.byteCount
      regions = CachedRegions(use.descriptor, status, isEnabled: allowsRegions)
    }

    private var owner: LoopQueue { file.owner }

    /// Sends as many pieces as the channel takes now.
    func advance() {
      guard !isAdvancing, !hasEnded else { return }
      isAdvancing = true
      while !hasEnded, !isReading, !isWaitingForTurn, sendNext() {}
      isAdvancing = false
    }

    /// Gives up. The pieces that the channel has are still sent.
    func cancel() {
      guard !hasEnded else { return }
      finish(.canceled)
    }

    // MARK: - Pieces

    /// - Returns: Whether another piece may follow at once.
    private func sendNext() -> Bool {
      guard offset < end else {
        if hasWrittenLast {
          if pieceCount == 0 { finish(nil) }
          return false
        }
        write(nil, 0)
        return true
      }
      guard regionEnd == nil, pieceCount < SendLimits.chunkCount else { return false }
      guard turnByteCount < SendLimits.turnByteCount || !owner.isOpen else {
        waitForTurn()
        return false
      }
      let region = regions.byteCount(at: offset..<end)
      guard region > 0 else { return read() }
      guard pieceCount == 0 else { return false }
      send(region: region)
      return true
    }

    private func waitForTurn() {
      isWaitingForTurn = true
      owner.afterTurn(0, of: file) { [self] in
        isWaitingForTurn = false
        turnByteCount = 0
        advance()
      }
    }

    private func send(region byteCount: Int64) {
      let handle =
        handle ?? NIOFileHandle(_deprecatedTakingOwnershipOfDescriptor: use.rawValue)
      self.handle = handle
      let region = FileRegion(
        fileHandle: handle, readerIndex: Int(offset), endIndex: Int(offset + byteCount))
      regionEnd = offset + byteCount
      write(.fileRegion(region), byteCount)
      if regionEnd != nil { owner.truncations.watch(self) }
    }

    /// - Parameter piece: Nil if the range is empty.
    private func write(_ piece: IOData?, _ byteCount: Int64) {
      offset += byteCount
      hasWrittenLast = offset == end
      pieceCount += 1
      turnByteCount += byteCount
      let written = outlet.eventLoop.makePromise(of: Void.self)
      written.futureResult.assumeIsolated().whenComplete { [self] in
        pieceEnded($0, byteCount)
      }
      outlet.write(piece, hasWrittenLast, written)
    }

    private func pieceEnded(_ result: Result<Void, any Error>, _ byteCount: Int64) {
      pieceCount -= 1
      if regionEnd != nil {
        regionEnd = nil
        owner.truncations.forget(self)
      }
      // NIO has written it in a turn of its own.
      if !isAdvancing { turnByteCount = 0 }
      switch result {
      case .success: doneByteCount += byteCount
      case .failure(let error) where !hasEnded: finish(.channel(error))
      case .failure: break
      }
      releaseIfIdle()
      advance()
    }

    /// Ends the send and closes the channel if the file has become shorter than the region that NIO
    /// has: `sendfile(2)` then sends nothing, and NIO would repeat it without end.
    func checkForTruncation() {
      guard let regionEnd else { return }
      let status = try? FileSystemCalls.status(use.descriptor)
      guard let status, status.byteCount < regionEnd else { return }
      if !hasEnded { finish(.endOfFile) }
      outlet.close()
    }

    // MARK: - Reading

    /// - Returns: Whether the bytes were there at once, and more may follow.
    private func read() -> Bool {
      let byteCount = Int(min(end - offset, SendLimits.chunkByteCount))
      guard owner.mayReadCached(byteCount) else {
        isReading = true
        owner.afterTurn(byteCount, of: file) { [self] in
          isReading = false
          guard !hasEnded else { return releaseIfIdle() }
          turnByteCount = 0
          if readFromCache(byteCount) { advance() } else { readFromDisk(byteCount) }
        }
        return false
      }
      if readFromCache(byteCount) { return true }
      readFromDisk(byteCount)
      return false
    }

    private func readFromCache(_ byteCount: Int) -> Bool {
      // A file that was closed meanwhile reads from its descriptor all the same, but not this way.
      guard let buffer = file.queued.readBufferFromCache(byteCount, at: offset, owner.memory)
      else { return false }
      wasRead(buffer)
      return true
    }

    private func readFromDisk(_ byteCount: Int) {
      let source = lentFile ?? AIOFile(use, path: file.path, queue: owner.queue)
      lentFile = source
      isReading = true
      do throws(Errno) {
        try source.readBufferFromDisk(byteCount, at: offset, owner.memory) { [self] result in
          isReading = false
          readEnded(result)
        }
      } catch {
        isReading = false
        finish(
          .file(FileError(operation: .read, path: file.path, offset: offset, errno: error)))
      }
    }

    private func readEnded(_ result: Result<ByteBuffer, FileError>) {
      turnByteCount = 0
      guard !hasEnded else { return releaseIfIdle() }
      switch result {
      case .success(let buffer): wasRead(buffer)
      case .failure(let error): finish(.file(error))
      }
      advance()
    }

    private func wasRead(_ buffer: ByteBuffer) {
      let byteCount = Int64(buffer.readableBytes)
      guard byteCount > 0 else { return finish(.endOfFile) }
      regions.wasRead(offset..<offset + byteCount)
      write(.byteBuffer(buffer), byteCount)
    }

    // MARK: - The end

    private func finish(_ reason: FileTransferError.Reason?) {
      hasEnded = true
      if let reason {
        promise.fail(FileTransferError(reason, byteCountDone: doneByteCount))
      } else {
        promise.succeed(doneByteCount)
      }
      releaseIfIdle()
    }

    /// Gives the descriptor back when neither the channel nor the queue uses it.
    private func releaseIfIdle() {
      guard hasEnded, pieceCount == 0, !isReading, !isReleased else { return }
      isReleased = true
      lentFile = nil
      do {
        // So that it neither closes the descriptor nor complains that it did not.
        _ = try handle?.takeDescriptorOwnership()
      } catch {
        trap(
          "LoopFile: a channel handler uses a region that it has reported written")
      }
      // After the result, so that it comes before that of a close.
      file.queued.giveBackDescriptor()
    }
  }
#endif
