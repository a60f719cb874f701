public import CEvaio
internal import Glibc
internal import PosixAIO
internal import Reactor

@c @implementation
public func evaio_statistics_fill(
  _ aio: OpaquePointer?, _ statistics: UnsafeMutablePointer<evaio_statistics>?, _ size: Int
) {
  let queue = unsafe attachment(aio, "evaio_get_statistics").loop.queue
  guard let statistics = unsafe statistics else {
    trap("evaio_get_statistics: the statistics are NULL")
  }
  let known = queue.statistics
  var filled = evaio_statistics(
    completed: known.completedCount, transferred_bytes: known.transferredByteCount,
    cache_hits: known.cacheHitCount, merged_writes: known.mergedWriteCount,
    merged_syncs: known.mergedSyncCount, abandoned: known.abandonedCount,
    in_flight: UInt64(known.inFlightCount), waiting: UInt64(known.waitingCount),
    held_bytes: UInt64(known.heldByteCount))
  let shared = min(size, MemoryLayout<evaio_statistics>.size)
  unsafe memcpy(statistics, &filled, shared)
  // A program of a later version has more members than this library knows.
  if size > shared { unsafe memset(UnsafeMutableRawPointer(statistics) + shared, 0, size - shared) }
}
