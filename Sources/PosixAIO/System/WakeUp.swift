internal import CPosixAIO
internal import Glibc
package import SystemPackage

/// A descriptor that any thread can make readable. Wraps `eventfd(2)`.
@safe
package final class WakeUp: Sendable {
  package let descriptor: Int32

  package init() throws(Errno) {
    descriptor = try checked(caio_eventfd())
  }

  deinit {
    Glibc.close(descriptor)
  }

  /// Makes the descriptor readable.
  package func signal() {
    var one: UInt64 = 1
    // Fails only when the counter is full, and then the descriptor is readable.
    _ = unsafe write(descriptor, &one, MemoryLayout<UInt64>.size)
  }

  /// Makes it unreadable until the next signal.
  package func clear() {
    var count: UInt64 = 0
    _ = unsafe read(descriptor, &count, MemoryLayout<UInt64>.size)
  }
}
