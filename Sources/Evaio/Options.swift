package import CEvaio
internal import Glibc
internal import PosixAIO
internal import Reactor
internal import SystemPackage

@c @implementation
package func evaio_options_fill(_ options: UnsafeMutablePointer<evaio_options>?, _ size: Int) {
  guard let options = unsafe options else { trap("evaio_options_init: the options are NULL") }
  var defaults = evaio_options(EventLoop.Configuration())
  defaults.size = size
  // A program that was compiled with an earlier header has fewer members.
  unsafe memcpy(options, &defaults, min(size, MemoryLayout<evaio_options>.size))
}

/// - Throws: `E2BIG` for options of a later version, `EINVAL` for a value out of range.
@unsafe
func configuration(
  of options: UnsafePointer<evaio_options>?
) throws(Errno) -> EventLoop.Configuration {
  var configuration = EventLoop.Configuration()
  guard let options = unsafe options else { return configuration }
  let size = unsafe options.pointee.size
  guard size <= MemoryLayout<evaio_options>.size else { throw .argListTooLong }
  guard size >= MemoryLayout<Int>.size else { throw .invalidArgument }
  var known = evaio_options(configuration)
  unsafe memcpy(&known, options, size)
  guard known.isInRange else { throw .invalidArgument }
  known.apply(to: &configuration)
  return configuration
}

extension evaio_options {
  init(_ configuration: EventLoop.Configuration) {
    let queue = configuration.queue
    self.init()
    size = MemoryLayout<evaio_options>.size
    in_flight_limit = UInt32(queue.inFlightLimit)
    in_flight_limit_per_file = UInt32(queue.inFlightLimitPerFile)
    lanes_per_file = UInt32(queue.lanesPerFile)
    blocking_file_limit = UInt32(queue.blockingFileLimit)
    aio_thread_limit = UInt32(queue.aioThreadLimit ?? 0)
    waiting_limit = UInt32(queue.waitingLimit)
    held_byte_limit = queue.heldByteLimit
    offload_thread_limit = UInt32(configuration.offloadThreadLimit)
    offload_limit = UInt32(configuration.offloadLimit)
    completions_per_turn = UInt32(queue.completionsPerDrain)
    completions_per_shared_turn = UInt32(configuration.completionsPerSharedTurn)
    cached_reads_per_shared_turn = UInt32(configuration.cachedReadsPerSharedTurn)
    signal = queue.signal ?? 0
    grace_period = timeval(configuration.cancellationGracePeriod)
  }

  /// Whether the configuration, which traps otherwise, accepts the values.
  fileprivate var isInRange: Bool {
    let limits = [
      in_flight_limit, in_flight_limit_per_file, lanes_per_file, blocking_file_limit,
      aio_thread_limit, offload_thread_limit, offload_limit, completions_per_turn,
      completions_per_shared_turn, cached_reads_per_shared_turn,
    ]
    // An unsigned that holds a negative number.
    let isLimit = { (limit: UInt32) in limit > 0 && limit <= Int32.max }
    return limits.allSatisfy(isLimit) && waiting_limit <= Int32.max && held_byte_limit >= 0
      && Duration(grace_period).map { $0 >= .zero } ?? false
  }

  fileprivate func apply(to configuration: inout EventLoop.Configuration) {
    configuration.queue.inFlightLimit = Int(in_flight_limit)
    configuration.queue.inFlightLimitPerFile = Int(in_flight_limit_per_file)
    configuration.queue.lanesPerFile = Int(lanes_per_file)
    configuration.queue.blockingFileLimit = Int(blocking_file_limit)
    configuration.queue.aioThreadLimit = Int(aio_thread_limit)
    configuration.queue.waitingLimit = Int(waiting_limit)
    configuration.queue.heldByteLimit = held_byte_limit
    configuration.queue.completionsPerDrain = Int(completions_per_turn)
    configuration.queue.signal = signal == 0 ? nil : signal
    configuration.offloadThreadLimit = Int(offload_thread_limit)
    configuration.offloadLimit = Int(offload_limit)
    configuration.completionsPerSharedTurn = Int(completions_per_shared_turn)
    configuration.cachedReadsPerSharedTurn = Int(cached_reads_per_shared_turn)
    configuration.cancellationGracePeriod = Duration(grace_period) ?? .zero
  }
}
