internal import Glibc
internal import PosixAIO
internal import Synchronization
internal import SystemPackage

/// How far the kernel reads ahead of whoever reads a file.
enum ReadAhead {
  /// The kernel's own choice, for devices that do not tell, such as those of an overlay.
  static let usualByteCount: Int64 = 128 * 1024

  /// Of devices that read further ahead than half of this, what is further is not asked for: that
  /// would take as long as a copy.
  static let longestReach: Int64 = 4 * 1024 * 1024

  private static let reaches = Mutex<[UInt64: Int64]>([:])

  /// How far behind a place that is read the kernel may read ahead, in bytes: what it reads at a
  /// time, twice, since it begins before the first half is used up.
  ///
  /// - Parameter device: The number of a file system, as `stat(2)` has it.
  static func reach(on device: UInt64) -> Int64 {
    reaches.withLock { reaches in
      if let reach = reaches[device] { return reach }
      let reach = min(longestReach, 2 * (setting(of: device) ?? usualByteCount))
      reaches[device] = reach
      return reach
    }
  }

  /// What sysfs says, which is in memory: of the file system, of its disk, or of the disk of its
  /// partition.
  private static func setting(of device: UInt64) -> Int64? {
    // The kernel's numbers in the form of a dev_t.
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
    // More than a terabyte is no setting of a disk's.
    return Int64(digits).flatMap { (0...1 << 30).contains($0) ? $0 : nil }
  }
}
