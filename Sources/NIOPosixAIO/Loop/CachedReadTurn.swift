#if NIO
  internal import NIOCore

  /// How many cached reads a loop completes until it looks at its sockets again, and the reads that
  /// wait until it has.
  struct CachedReadTurn {
    /// The most reads in a turn.
    static let readLimit = 8
    /// The most bytes in a turn.
    static let byteLimit = 128 * 1024
    /// How many of the reads that wait are resumed together. Those may go on reading in the same
    /// turn, which saves suspensions, before the next ones are resumed.
    static let resumeLimit = 4
    /// The most bytes of one read. A larger one is left to glibc's threads, since copying the bytes
    /// would hold up the loop.
    static let readByteLimit = 256 * 1024

    /// A read that waits for a turn.
    struct Waiting {
      let byteCount: Int
      /// Is not closed before the read goes on.
      let file: LoopFile
      let resumption: Resumption

      func resume() {
        resumption.resume()
        file.readDidWait()
      }
    }

    @safe
    enum Resumption {
      case task(UnsafeContinuation<Void, Never>)
      case call(() -> Void)

      func resume() {
        switch self {
        case .task(let continuation): unsafe continuation.resume()
        case .call(let body): body()
        }
      }
    }

    private var readCount = readLimit
    private var byteCount = byteLimit
    private var waiting = CircularBuffer<Waiting>()

    var hasWaiting: Bool { !waiting.isEmpty }

    /// Whether ``takeWaiting()`` returns one.
    var hasPlaceForWaiting: Bool { waiting.first.map { hasPlace($0.byteCount) } ?? false }

    /// A single read may have any size.
    private func hasPlace(_ byteCount: Int) -> Bool {
      readCount > 0 && (byteCount <= self.byteCount || self.byteCount == Self.byteLimit)
    }

    /// Takes the place of one read in this turn; false if there is none left.
    mutating func take(_ byteCount: Int) -> Bool {
      guard hasPlace(byteCount) else { return false }
      readCount -= 1
      self.byteCount = max(0, self.byteCount - byteCount)
      return true
    }

    /// Adds a read that ``takeWaiting()`` will return.
    mutating func add(_ read: Waiting) {
      waiting.append(read)
    }

    mutating func start() {
      readCount = Self.readLimit
      byteCount = Self.byteLimit
    }

    /// The next read that waits, which has its place in this turn; nil if there is none, or no
    /// place.
    mutating func takeWaiting() -> Waiting? {
      guard let first = waiting.first, take(first.byteCount) else { return nil }
      waiting.removeFirst()
      return first
    }

    /// All that wait, without a place.
    mutating func removeAllWaiting() -> CircularBuffer<Waiting> {
      defer { waiting = CircularBuffer() }
      return waiting
    }
  }
#endif
