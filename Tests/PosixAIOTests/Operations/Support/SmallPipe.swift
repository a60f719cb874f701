import Glibc
import SystemPackage
import TestSupport

/// A pipe that holds one page, so that a write of two blocks until somebody reads.
final class SmallPipe {
  /// What fits into the pipe, in bytes.
  static let capacity = 4096
  /// What a write needs to block half-way, in bytes.
  static let blockingByteCount = 2 * capacity

  let readEnd: FileDescriptor
  let writeEnd: FileDescriptor

  init() throws {
    (readEnd, writeEnd) = try FileDescriptor.pipe()
    // F_SETPIPE_SZ, which needs _GNU_SOURCE.
    guard fcntl(writeEnd.rawValue, 1031, Int32(Self.capacity)) == Self.capacity else {
      throw Errno(rawValue: errno)
    }
  }

  deinit {
    // Nobody uses them any more; an error would change nothing.
    try? readEnd.close()
    try? writeEnd.close()
  }

  /// Waits until somebody has written something: a blocking write is running then.
  func waitUntilReadable() throws {
    try readEnd.waitUntilReadable("nobody writes to the pipe")
  }

  /// Puts bytes in, which fit.
  func fill(_ bytes: some Sequence<UInt8>) throws {
    try writeEnd.writeAll(bytes)
  }

  /// Takes bytes out, as soon as they are there.
  @discardableResult
  func drain(_ byteCount: Int) throws -> [UInt8] {
    var bytes: [UInt8] = []
    while bytes.count < byteCount {
      try waitUntilReadable()
      let rest = byteCount - bytes.count
      bytes += try unsafe [UInt8](unsafeUninitializedCapacity: rest) { memory, count in
        count = try unsafe readEnd.read(into: UnsafeMutableRawBufferPointer(memory))
      }
    }
    return bytes
  }
}

extension FileDescriptor {
  /// Waits for bytes, under the deadline of tests.
  func waitUntilReadable(_ description: String) throws {
    let end = ContinuousClock.now + testDeadline
    while ContinuousClock.now < end {
      var polled = pollfd(fd: rawValue, events: Int16(POLLIN), revents: 0)
      let milliseconds = Int32((end - .now).components.seconds * 1000 + 1)
      if unsafe poll(&polled, 1, milliseconds) == 1 { return }
    }
    throw NothingHappened(description: description)
  }

  /// Whether bytes are there by now.
  var isReadable: Bool {
    var polled = pollfd(fd: rawValue, events: Int16(POLLIN), revents: 0)
    return unsafe poll(&polled, 1, 0) == 1
  }
}

/// A test that waited for longer than any machine needs.
struct NothingHappened: Error, CustomStringConvertible {
  let description: String
}
