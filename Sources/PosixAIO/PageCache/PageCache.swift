internal import CPosixAIO
internal import Glibc
package import SystemPackage

/// What the kernel says of the page cache.
package enum PageCache {
  /// The number of pages of a non-empty range that are not in the page cache. Wraps `cachestat(2)`,
  /// which counts a page as cached as soon as its read begins; see ``CacheDoubts``.
  ///
  /// - Returns: The number of pages; -1 on failure, with `errno` set: `ENOSYS` before Linux 6.5,
  ///   `EPERM` if the process neither owns the file nor may write to it, `EOPNOTSUPP` for some file
  ///   systems.
  package static func missingPageCount(
    of file: FileDescriptor, _ range: Range<Int64>
  ) -> Int64 {
    caio_missing_pages(file.rawValue, range.lowerBound, range.upperBound - range.lowerBound)
  }

  /// Fills memory from the page cache without waiting for the disk. Wraps `preadv2(2)` with
  /// `RWF_NOWAIT`.
  ///
  /// - Returns: The number of bytes read; -1 on failure, with `errno` set: `EAGAIN` if the cache
  ///   has nothing.
  package static func read(
    _ file: FileDescriptor, into memory: UnsafeMutableRawBufferPointer, at offset: Int64
  ) -> Int {
    unsafe caio_read_cached(file.rawValue, memory.baseAddress, memory.count, offset)
  }
}
