#if NIO
  /// How much a send from a file to a channel has in progress.
  enum SendLimits {
    /// The most bytes of a range that is read and written as one buffer. Below this, copying takes
    /// less time than the system calls that avoid it.
    static let smallRangeByteCount: Int64 = 16 * 1024

    /// The most bytes of a piece that is sent from the page cache without a copy. NIO may call
    /// `sendfile(2)` for the rest of a piece later, and the kernel may have dropped pages by then.
    static let regionByteCount: Int64 = 256 * 1024

    /// The bytes of a piece that is read. Per byte, 8 KiB cost four times as much, and 1 MiB hardly
    /// less.
    static let chunkByteCount: Int64 = 128 * 1024

    /// The most chunks in memory: one that the channel writes, and one that is read meanwhile.
    static let chunkCount = 2

    /// The bytes after which a send lets the loop look at its other channels.
    static let turnByteCount: Int64 = 256 * 1024
  }
#endif
