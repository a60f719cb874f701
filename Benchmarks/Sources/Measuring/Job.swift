public import SystemPackage

/// What a contestant does in one measurement: the same for all contestants of a row.
public struct Job: Codable, Sendable {
  /// The size of every read and write, in bytes.
  public static let blockSize = 4096

  /// The size of an appended record, in bytes.
  public static let recordSize = 128

  /// The file to work on.
  public var path: FilePath
  /// The number of blocks in it.
  public var blockCount: Int64
  /// Requests at a time.
  public var depth: Int
  /// The blocks of a request. Other numbers than 1 are for reads in SwiftNIO.
  public var blocksPerRequest = 1
  /// Whether the file is opened for direct IO.
  public var isDirect = false
  /// How often the file is opened; requests go round among the descriptors.
  public var openCount = 1
  /// Descriptors among them that are used. The others are only open.
  public var usedCount = 1
  /// Not counted; threads start and caches warm meanwhile.
  public var warmUpNanoseconds: Int64 = 30_000_000
  /// The measured time.
  public var nanoseconds: Int64 = 250_000_000
  /// The clock is read each time so many requests are done; a power of two.
  public var requestsPerLook: Int64 = 64
  /// Of the sequence of offsets.
  public var seed: UInt64 = 1

  /// The bytes of a request.
  public var requestByteCount: Int { blocksPerRequest * Self.blockSize }

  /// Describes a job on a file.
  ///
  /// - Parameters:
  ///   - path: The file.
  ///   - blockCount: Its size in blocks.
  ///   - depth: Requests at a time.
  public init(path: FilePath, blockCount: Int64, depth: Int) {
    self.path = path
    self.blockCount = blockCount
    self.depth = depth
  }
}
