package import CEvaio
internal import Glibc
internal import PosixAIO
internal import Reactor

@c @implementation
package func evaio_statistics_fill(
  _ aio: OpaquePointer?, _ statistics: UnsafeMutablePointer<evaio_statistics>?, _ size: Int
) {
  let loop = unsafe attachment(aio, "evaio_get_statistics").loop
  guard let statistics = unsafe statistics else {
    trap("evaio_get_statistics: the statistics are NULL")
  }
  let (known, ofLoop) = (loop.queue.statistics, loop.statistics)
  var filled = evaio_statistics(
    completed: known.completedCount, transferred_bytes: known.transferredByteCount,
    cache_hits: known.cacheHitCount, merged_writes: known.mergedWriteCount,
    merged_syncs: known.mergedSyncCount, abandoned: known.abandonedCount,
    sent_uncopied: ofLoop.uncopiedFileByteCount, sent_copied: ofLoop.copiedFileByteCount,
    in_flight: UInt64(known.inFlightCount), waiting: UInt64(known.waitingCount),
    held_bytes: UInt64(known.heldByteCount))
  let shared = min(size, MemoryLayout<evaio_statistics>.size)
  unsafe memcpy(statistics, &filled, shared)
  // A program of a later version has more members than this library knows.
  if size > shared { unsafe memset(UnsafeMutableRawPointer(statistics) + shared, 0, size - shared) }
}
