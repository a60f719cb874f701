internal import Glibc

/// The threads of this process that have to be ended: all but glibc's AIO helpers, which end by
/// themselves after a second without work, and Dispatch's workers.
public enum ProcessThreads {
  /// How many there are, the calling one included.
  public static func count() -> Int {
    guard let directory = unsafe opendir("/proc/self/task") else { return 0 }
    defer { unsafe closedir(directory) }
    var count = 0
    while let entry = unsafe readdir(directory) {
      let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) {
        unsafe $0.withMemoryRebound(to: CChar.self, capacity: 1) { unsafe String(cString: $0) }
      }
      guard let id = Int32(name) else { continue }
      if !isOfTheRuntime(id) { count += 1 }
    }
    return count
  }

  private static func isOfTheRuntime(_ id: Int32) -> Bool {
    if id == getpid() { return false }
    // A thread that has ended in the meantime does not count.
    guard let status = text("/proc/self/task/\(id)/status") else { return true }
    guard let mask = blockedMask(status) else { return true }
    // Dispatch leaves the signals of a fault open, and blocks the others.
    let isDispatch = mask & bit(SIGSEGV) == 0 && mask & bit(SIGTERM) != 0
    return isDispatch || mask & bit(SIGSEGV) != 0 && isAIOHelper(id)
  }

  /// glibc's helpers are known by what they do: they wait with a time-out, or move bytes.
  private static func isAIOHelper(_ id: Int32) -> Bool {
    guard let call = text("/proc/self/task/\(id)/syscall") else { return true }
    let words = call.split { $0 == " " || $0 == "\n" }
    guard let number = words.first.flatMap({ Int($0) }) else { return false }
    // The fourth argument of futex(2) is the time-out.
    if number == futex { return words.count > 4 && words[4] != "0x0" }
    return transfers.contains(number)
  }

  // The numbers of `<sys/syscall.h>`, which Glibc does not show: futex, and then read, write,
  // pread64, pwrite64, fsync and fdatasync.
  #if arch(arm64)
    private static let futex = 98
    private static let transfers = [63, 64, 67, 68, 82, 83]
  #else
    private static let futex = 202
    private static let transfers = [0, 1, 17, 18, 74, 75]
  #endif

  private static func bit(_ signal: Int32) -> UInt64 { 1 << UInt64(signal - 1) }

  private static func blockedMask(_ status: String) -> UInt64? {
    for line in status.split(separator: "\n") where line.hasPrefix("SigBlk:") {
      return UInt64(line.dropFirst(8), radix: 16)
    }
    return nil
  }

  private static func text(_ path: String) -> String? {
    let file = unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return nil }
    defer { close(file) }
    var bytes = [UInt8](repeating: 0, count: 4096)
    let count = unsafe read(file, &bytes, bytes.count)
    guard count > 0 else { return nil }
    return String(decoding: bytes[..<count], as: UTF8.self)
  }
}
