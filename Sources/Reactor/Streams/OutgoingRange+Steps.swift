internal import PosixAIO
internal import SystemPackage

/// Prepares the next bytes of a range.
extension OutgoingRange {
  /// Prepares the next bytes. If that takes time, ``owner`` is told when they are ready.
  ///
  /// - Parameter isCopying: Whether every byte must be copied.
  func prepare(isCopying: Bool) -> Readiness {
    if !unsent.isEmpty { return .bytes }
    switch state {
    case .ended: return .ended
    case .failed(let reason): return .failed(reason)
    case .open: break
    }
    if isWaiting { return .waiting }
    guard offset < end else { return finish() }
    guard file.queued.isReadFromCache, !file.isCopiedAlways else { return read() }
    let left = min(end, fileEnd) - offset
    guard left > 0 else { return prepareAfterKnownEnd(isCopying) }
    guard !isCopying, core.sendsFilesWithoutCopy else { return read() }
    return prepareWindow()
  }

  private func finish() -> Readiness {
    state = .ended
    return .ended
  }

  private func prepareAfterKnownEnd(_ isCopying: Bool) -> Readiness {
    let size = core.fileCalls.byteCount(of: descriptor)
    if size > offset {
      fileEnd = size
      return prepare(isCopying: isCopying)
    }
    // Generated files, such as those of /proc, report size 0.
    return mayEndEarlier && size > 0 ? finish() : read()
  }

  private func prepareWindow() -> Readiness {
    // A file that has grown is read ahead as well.
    if !hasAskedForEnd {
      fileEnd = max(0, core.fileCalls.byteCount(of: descriptor))
      hasAskedForEnd = true
    }
    let window = min(min(end, fileEnd) - offset, Self.windowByteCount)
    guard window > 0 else { return read() }
    if let proven = file.provenRange?.byteCount(from: offset, at: .now) {
      return proven > 0 ? sendUndoubted(min(window, proven)) : read()
    }
    let missing = core.fileCalls.missingPageCount(of: descriptor, reach(after: offset + window))
    guard missing == 0 else {
      if missing < 0 {
        noteRefusalToCount(Errno.ofLastCall)
      } else {
        doubt(upTo: offset + window)
      }
      return read()
    }
    guard isRead(offset), isRead(offset + window - 1) else {
      doubt(upTo: offset + window)
      return read()
    }
    return sendUndoubted(window)
  }

  /// Whether the page of a byte has been read, not only reserved for a read that is under way. The
  /// kernel reads pages in their order, and on some devices ahead by more than
  /// ``/PosixAIO/ReadAhead/longestReach``; other programs read the file too. A file system that
  /// does not tell counts as if it had.
  private func isRead(_ offset: Int64) -> Bool {
    var byte: UInt8 = 0
    let count = unsafe withUnsafeMutableBytes(of: &byte) {
      unsafe core.fileCalls.readCached(descriptor, into: $0, at: offset)
    }
    return count >= 0 || Errno.ofLastCall != .resourceTemporarilyUnavailable
  }

  private func sendUndoubted(_ byteCount: Int64) -> Readiness {
    let window = offset..<offset + byteCount
    guard !core.cacheDoubts.contains(window, of: identity) else { return read() }
    dropReader()
    return .file(byteCount: Int(byteCount))
  }

  private var identity: CacheDoubts.FileID {
    .init(device: file.openingStatus.device, inode: file.openingStatus.inode)
  }

  /// The range that the kernel may read when the bytes up to `place` are read.
  private func reach(after place: Int64) -> Range<Int64> {
    offset..<max(
      offset + 1,
      min(fileEnd, place.adding(saturating: ReadAhead.reach(on: file.openingStatus.device))))
  }

  /// Doubts a small range: trying to read it from the page cache made the kernel read it.
  func doubtSmallRange() {
    doubt(upTo: end)
  }

  /// Doubts what the reader reads at once and what the kernel may read ahead of it.
  private func doubt(upTo place: Int64) {
    let (chunks, overflows) = Int64(configuration.chunkByteCount).multipliedReportingOverflow(
      by: Int64(configuration.chunkCount) + 1)
    let last = offset.adding(saturating: overflows ? .max : chunks)
    core.cacheDoubts.add(reach(after: max(place, last)), of: identity)
  }

  /// Notes that sending without a copy does not work, and copies this file from now on.
  func noteRefusal(_ reason: Errno) {
    // The kernel lacks the system call.
    if reason == .noFunction { core.sendsFilesWithoutCopy = false }
    file.isCopiedAlways = true
  }

  /// Notes that the kernel does not say what is cached: of this file, or at all.
  private func noteRefusalToCount(_ reason: Errno) {
    if reason == .notPermitted {
      file.provenRange = ProvenRange()
    } else {
      noteRefusal(reason)
    }
  }

  // MARK: Reading

  private func read() -> Readiness {
    guard let use else { return finish() }
    let reader =
      reader
      ?? FileReader(
        File(lentFrom: file, use), offset..<end, configuration: configuration)
    self.reader = reader
    isWaiting = true
    reader.next { [self] result in
      guard reader === self.reader else { return }
      isWaiting = false
      take(result)
      owner?.rangeIsReady()
    }
    return .waiting
  }

  private func take(_ result: consuming Result<IOBuffer?, FileError>) {
    switch consume result {
    case .failure(let error): state = .failed(.file(error))
    case .success(nil): state = mayEndEarlier ? .ended : .failed(.endOfFile)
    case .success(let chunk?):
      let byteCount = chunk.count
      let read = offset..<offset + Int64(byteCount)
      core.cacheDoubts.remove(read, of: identity)
      file.provenRange?.add(read, at: .now)
      keep(chunk, byteCount)
    }
  }

  func dropReader() {
    reader?.cancel()
    reader = nil
    isWaiting = false
  }
}

extension File {
  /// Reads a small range from the page cache.
  ///
  /// - Parameter append: Calls the given read with memory to fill, and returns its result.
  func copyFromCache(
    _ range: Range<Int64>, _ append: ((UnsafeMutableRawBufferPointer) -> Int) -> Int
  ) -> BufferedSocket.Copying {
    guard queued.isReadFromCache, !refusesCachedReads else { return .notTried }
    let descriptor: Int32
    do throws(Errno) {
      descriptor = try queued.currentDescriptor()
    } catch {
      // The file is closed. The range then fails at its place in the output.
      return .notTried
    }
    var reason = Errno.resourceTemporarilyUnavailable
    let count = unsafe append { memory in
      let count = unsafe core.fileCalls.readCached(descriptor, into: memory, at: range.lowerBound)
      if count < 0 { reason = .ofLastCall }
      return count
    }
    if count == range.count {
      core.counters.statistics.copiedFileByteCount += UInt64(count)
      return .done
    }
    // AIO runs into any error other than "not in the cache" too, and reports it.
    if count < 0, reason != .resourceTemporarilyUnavailable, reason != .interrupted {
      refusesCachedReads = true
    }
    return .missed
  }
}
