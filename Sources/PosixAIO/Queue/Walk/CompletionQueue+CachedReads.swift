internal import CPosixAIO
internal import Glibc
package import SystemPackage

/// A shortcut of the walk: a read that the page cache can serve ends during the drain that would
/// submit it, without a helper thread.
extension CompletionQueue {
  /// Reads of more than this many bytes ask whether the cache has something before they try.
  private static let largeReadByteCount = 16 * 1024

  /// Tries to serve a waiting read from the page cache.
  ///
  /// A read that comes back short or empty goes on to AIO, which has the last word: some kernels
  /// have reported an end of file here where there was none. AIO is skipped only if `fstat(2)`
  /// confirms the end.
  ///
  /// - Returns: Whether the read is finished. If not, it still waits, and keeps the bytes it has.
  func readFromCache(_ request: RequestRef, of file: AIOFile) -> Bool {
    let done = request.pointee.doneCount
    let read = unsafe readFromCache(
      file, request.pointee.memory.map { unsafe $0.base + done },
      request.pointee.byteCount - done, at: request.pointee.offset + Int64(done))
    request.pointee.doneCount = done + read.count
    guard read.isWhole else {
      markCacheMiss(request)
      return false
    }
    hot.counters.cacheHitCount += 1
    removeFromWaiting(request, of: file)
    finish(request)
    return true
  }

  /// - Returns: The number of bytes read, and whether they are all that were wanted or that the
  ///   file has.
  fileprivate func readFromCache(
    _ file: AIOFile, _ memory: UnsafeMutableRawPointer?, _ wanted: Int, at offset: Int64
  ) -> (count: Int, isWhole: Bool) {
    // A miss makes the kernel start reading ahead, which takes this thread 40 µs or more for a
    // large read; asking first takes 1 µs.
    if wanted > Self.largeReadByteCount, !system.mayBeCached(file.lanes.first, wanted, offset),
      !file.endsAt(offset)
    {
      return (0, false)
    }
    let count = unsafe system.readCached(file.lanes.first, memory, wanted, offset)
    if count < 0 {
      // Any other error means that the file system does not support this kind of read, or that AIO
      // will find the error and report it.
      if errno != EAGAIN && errno != EINTR { file.readsCacheFirst = false }
      return (0, false)
    }
    return (count, count == wanted || file.endsAt(offset + Int64(count)))
  }
}

extension AIOFile {
  /// Reads now what the page cache has, without a request. Wraps `preadv2(2)` with `RWF_NOWAIT`.
  ///
  /// It is for loops that limit how much of this they do in a turn. Traps on any thread but the
  /// queue's.
  ///
  /// - Parameters:
  ///   - memory: Filled from its start.
  ///   - offset: In bytes from the start of the file.
  /// - Returns: The number of bytes read, fewer than fit only at the end of the file; nil if the
  ///   page cache does not have them all, or if a request would be refused. The memory may have
  ///   been written to.
  package func readFromCache(
    into memory: UnsafeMutableRawBufferPointer, at offset: Int64
  ) -> Int? {
    queue.checkThread()
    guard isOpen, readsCacheFirst, offset >= 0, queue.stage == .open,
      offset <= .max - Int64(memory.count), memory.count > 0
    else { return nil }
    let read = unsafe queue.readFromCache(self, memory.baseAddress, memory.count, at: offset)
    guard read.isWhole else { return nil }
    queue.hot.counters.cacheHitCount += 1
    queue.hot.counters.completedCount += 1
    queue.hot.counters.transferredByteCount += UInt64(read.count)
    return read.count
  }
}

extension AIOFile {
  /// As ``read(into:byteCount:at:timeout:_:)``, without a look in the page cache: for a read that
  /// ``readFromCache(into:at:)`` could not serve.
  package func readFromDisk(
    into buffer: consuming IOBuffer, at offset: Int64, timeout: Duration?,
    _ handler: @escaping CompletionQueue.TransferHandler
  ) throws(Errno) -> RequestID {
    let id = try read(into: buffer, at: offset, timeout: timeout, handler)
    // It waits until the next drain.
    if let request = queue.pool.slot(id.index) { queue.markCacheMiss(request) }
    return id
  }

  /// Whether the file's current size is at most `offset` bytes.
  fileprivate func endsAt(_ offset: Int64) -> Bool {
    var status = stat()
    return unsafe fstat(lanes.first, &status) == 0 && Int64(status.st_size) <= offset
  }
}
