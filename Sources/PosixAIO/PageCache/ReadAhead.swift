internal import Glibc
internal import Synchronization
internal import SystemPackage

/// How far the kernel reads ahead in a file.
package enum ReadAhead {
  /// The kernel's default, for devices that do not report theirs, such as an overlay's.
  package static let usualByteCount: Int64 = 128 * 1024

  /// The limit for devices that read ahead further than half of it: querying more would take as
  /// long as a copy.
  package static let longestReach: Int64 = 4 * 1024 * 1024

  private static let reaches = Mutex<[UInt64: Int64]>([:])

  /// How many bytes after a read the kernel may read ahead: twice its read-ahead size, since it
  /// starts the next before half of the last is used.
  ///
  /// - Parameter device: The device number of a file system, from `stat(2)`.
  package static func reach(on device: UInt64) -> Int64 {
    reaches.withLock { reaches in
      if let reach = reaches[device] { return reach }
      let reach = min(longestReach, 2 * (setting(of: device) ?? usualByteCount))
      reaches[device] = reach
      return reach
    }
  }

  /// The setting in sysfs, which is in memory: of the file system, of its disk, or of its
  /// partition's disk.
  private static func setting(of device: UInt64) -> Int64? {
    // Major and minor, decoded from a dev_t.
    let major = (device >> 8) & 0xFFF | (device >> 32) & 0xFFFF_F000
    let minor = device & 0xFF | (device >> 12) & 0xFFFF_FF00
    let name = "\(major):\(minor)"
    let paths = [
      "/sys/class/bdi/\(name)/read_ahead_kb", "/sys/dev/block/\(name)/queue/read_ahead_kb",
      "/sys/dev/block/\(name)/../queue/read_ahead_kb",
    ]
    for path in paths {
      if let kibibytes = number(in: path) { return kibibytes * 1024 }
    }
    return nil
  }

  private static func number(in path: String) -> Int64? {
    let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var text = [UInt8](repeating: 0, count: 16)
    let count = unsafe read(descriptor, &text, text.count)
    guard count > 0 else { return nil }
    let digits = String(decoding: text[..<count], as: UTF8.self).prefix { $0.isNumber }
    // A disk's setting is never more than a terabyte.
    return Int64(digits).flatMap { (0...1 << 30).contains($0) ? $0 : nil }
  }
}
