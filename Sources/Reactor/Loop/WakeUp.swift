internal import CReactor
internal import Glibc
internal import PosixAIO
internal import SystemPackage

/// A descriptor that any thread can make readable. Wraps `eventfd(2)`.
@safe
final class WakeUp: Sendable {
  let descriptor: Int32

  init() throws(Errno) {
    descriptor = try checked(creactor_eventfd())
  }

  deinit {
    Glibc.close(descriptor)
  }

  /// Makes the descriptor readable.
  func signal() {
    var one: UInt64 = 1
    // Fails only if the counter is full; then the descriptor is readable already.
    _ = unsafe write(descriptor, &one, MemoryLayout<UInt64>.size)
  }

  /// Makes it unreadable until the next signal.
  func clear() {
    var count: UInt64 = 0
    _ = unsafe read(descriptor, &count, MemoryLayout<UInt64>.size)
  }
}
