internal import CPosixAIO
internal import Glibc

/// Reads that need no thread, because what they ask for is in the page cache.
extension CompletionQueue {
  /// Reads of more than this ask before they try.
  private static let largeReadByteCount = 16 * 1024

  /// Tries to answer a waiting read at once.
  ///
  /// What comes back short, empty or not at all is asked of AIO, which has the last word: kernels
  /// have been known to say "end of file" here where there was none. Only where the file's own size
  /// confirms the end is that question saved.
  ///
  /// - Returns: Whether the read is finished. Otherwise it waits on, with what it has got so far.
  func readFromCache(_ request: RequestRef, of file: AIOFile) -> Bool {
    let done = request.pointee.doneCount
    let wanted = request.pointee.byteCount - done
    let place = request.pointee.offset + Int64(done)
    // A try that misses has the kernel begin to read ahead: for a large read that takes this thread
    // 40 µs and more, asking 1 µs.
    if wanted > Self.largeReadByteCount, !system.mayBeCached(file.lanes.first, wanted, place),
      !file.endsAt(place)
    {
      markCold(request)
      return false
    }
    let count = unsafe system.readCached(
      file.lanes.first, request.pointee.memory?.baseAddress.map { unsafe $0 + done }, wanted, place)
    if count < 0 {
      markCold(request)
      // Anything but "not in the cache" is a file system that cannot say, or an error that AIO
      // will find and report.
      if errno != EAGAIN && errno != EINTR { file.readsCacheFirst = false }
      return false
    }
    request.pointee.doneCount = done + count
    guard count == wanted || file.endsAt(place + Int64(count)) else {
      markCold(request)
      return false
    }
    books.counters.cacheHitCount += 1
    takeWaiting(request, of: file)
    finish(request)
    return true
  }
}

extension AIOFile {
  /// Whether the file is no longer than this, now.
  fileprivate func endsAt(_ offset: Int64) -> Bool {
    var status = stat()
    return unsafe fstat(lanes.first, &status) == 0 && Int64(status.st_size) <= offset
  }
}
