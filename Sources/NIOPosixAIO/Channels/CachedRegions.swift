#if NIO
  internal import Glibc
  internal import PosixAIO
  internal import SystemPackage
  internal import struct SystemPackage.FileDescriptor

  /// Decides which part of a file may be sent without a copy, because the page cache has it.
  ///
  /// A region is sent if no page of it, or of the kernel's read-ahead after it, is missing from the
  /// page cache, no part of it is doubted (``/PosixAIO/CacheDoubts``), and its first and last byte
  /// can be read without waiting. If the kernel does not
  /// say what is cached, everything is copied.
  struct CachedRegions {
    private let descriptor: FileDescriptor
    private let status: FileStatus
    private var isEnabled: Bool

    /// - Parameter isEnabled: Whether the channel takes regions.
    init(_ descriptor: FileDescriptor, _ status: FileStatus, isEnabled: Bool) {
      self.descriptor = descriptor
      self.status = status
      // Other files have no pages, or no size that could be trusted.
      self.isEnabled = isEnabled && status.kind == .regular
    }

    private var file: CacheDoubts.FileID {
      .init(device: status.device, inode: status.inode)
    }

    /// The number of bytes at the start of the range that may be sent without a copy.
    ///
    /// - Parameter range: Not empty. It may extend beyond the file's end.
    mutating func byteCount(at range: Range<Int64>) -> Int64 {
      let existing = min(range.upperBound, status.byteCount) - range.lowerBound
      guard isEnabled, existing > SendLimits.smallRangeByteCount else { return 0 }
      let window = min(existing, SendLimits.regionByteCount)
      let reach = reach(after: range.lowerBound + window, from: range.lowerBound)
      let missing = PageCache.missingPageCount(of: descriptor, reach)
      guard missing == 0 else {
        if missing < 0 { isEnabled = false } else { doubt(range.lowerBound, window) }
        return 0
      }
      let region = range.lowerBound..<range.lowerBound + window
      guard !CacheDoubts.shared.contains(region, of: file) else { return 0 }
      guard isRead(region.lowerBound), isRead(region.upperBound - 1) else {
        doubt(range.lowerBound, window)
        return 0
      }
      return window
    }

    /// Whether the page of a byte has been read. The kernel reads pages in their order, and ahead
    /// on some devices by more than ``/PosixAIO/ReadAhead/longestReach``.
    private func isRead(_ offset: Int64) -> Bool {
      var byte: UInt8 = 0
      return unsafe withUnsafeMutableBytes(of: &byte) {
        unsafe PageCache.read(descriptor, into: $0, at: offset) == 1
      }
    }

    /// Ends the doubt of a range whose bytes were read.
    func wasRead(_ range: Range<Int64>) {
      guard isEnabled else { return }
      CacheDoubts.shared.remove(range, of: file)
    }

    /// The range that the kernel may read when the bytes up to `place` are read.
    private func reach(after place: Int64, from offset: Int64) -> Range<Int64> {
      let (sum, overflows) = place.addingReportingOverflow(ReadAhead.reach(on: status.device))
      return offset..<max(offset + 1, min(status.byteCount, overflows ? .max : sum))
    }

    /// Doubts what the chunks in progress read, and what the kernel may read ahead of them.
    private func doubt(_ offset: Int64, _ window: Int64) {
      let chunks = SendLimits.chunkByteCount * Int64(SendLimits.chunkCount + 1)
      CacheDoubts.shared.add(reach(after: offset + max(window, chunks), from: offset), of: file)
    }
  }
#endif
