import Glibc
import SystemPackage

/// Two connected sockets, of which the near one takes only so much until the far one reads.
final class SocketPair {
  let near: FileDescriptor
  let far: FileDescriptor

  /// What a write to the near one needs to block half-way, in bytes.
  let blockingByteCount = 1 << 21

  init() throws {
    var ends: [Int32] = [-1, -1]
    let stream = Int32(SOCK_STREAM.rawValue)
    guard unsafe socketpair(AF_UNIX, stream, 0, &ends) == 0 else { throw Errno(rawValue: errno) }
    near = FileDescriptor(rawValue: ends[0])
    far = FileDescriptor(rawValue: ends[1])
    // The kernel doubles it, and makes it at least a few pages.
    var byteCount: Int32 = 4096
    let size = socklen_t(MemoryLayout<Int32>.size)
    guard unsafe setsockopt(near.rawValue, SOL_SOCKET, SO_SNDBUF, &byteCount, size) == 0 else {
      throw Errno(rawValue: errno)
    }
  }

  deinit {
    // Nobody uses them any more; an error would change nothing.
    try? near.close()
    try? far.close()
  }

  /// Takes bytes out of the far one, as soon as they are there.
  func drain(_ byteCount: Int) throws {
    var rest = byteCount
    while rest > 0 {
      try far.waitUntilReadable("nobody writes to the socket")
      rest -= try unsafe withUnsafeTemporaryAllocation(byteCount: rest, alignment: 1) {
        try unsafe far.read(into: $0)
      }
    }
  }
}
