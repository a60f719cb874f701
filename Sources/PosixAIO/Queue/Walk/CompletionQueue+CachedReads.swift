internal import CPosixAIO
internal import Glibc

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
    let wanted = request.pointee.byteCount - done
    let offset = request.pointee.offset + Int64(done)
    // A miss makes the kernel start reading ahead, which takes this thread 40 µs or more for a
    // large read; asking first takes 1 µs.
    if wanted > Self.largeReadByteCount, !system.mayBeCached(file.lanes.first, wanted, offset),
      !file.endsAt(offset)
    {
      markCacheMiss(request)
      return false
    }
    let memory = unsafe request.pointee.lent ?? request.pointee.memory?.memory
    let count = unsafe system.readCached(
      file.lanes.first, memory?.baseAddress.map { unsafe $0 + done }, wanted, offset)
    if count < 0 {
      markCacheMiss(request)
      // Any other error means that the file system does not support this kind of read, or that AIO
      // will find the error and report it.
      if errno != EAGAIN && errno != EINTR { file.readsCacheFirst = false }
      return false
    }
    request.pointee.doneCount = done + count
    guard count == wanted || file.endsAt(offset + Int64(count)) else {
      markCacheMiss(request)
      return false
    }
    hot.counters.cacheHitCount += 1
    removeFromWaiting(request, of: file)
    finish(request)
    return true
  }
}

extension AIOFile {
  /// Whether the file's current size is at most `offset` bytes.
  fileprivate func endsAt(_ offset: Int64) -> Bool {
    var status = stat()
    return unsafe fstat(lanes.first, &status) == 0 && Int64(status.st_size) <= offset
  }
}
