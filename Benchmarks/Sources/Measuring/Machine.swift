internal import CPeers
internal import Glibc
public import SystemPackage

/// What the figures were measured on, and with. No name of the machine and no path.
public struct Machine: Codable, Sendable, Equatable {
  /// The processor's model.
  public var processor: String
  /// Processors that this process may use.
  public var processorCount: Int
  /// In bytes.
  public var memory: Int64
  /// The kernel's release.
  public var kernel: String
  /// Under the files that were read and written.
  public var fileSystem: String
  /// Versions of the compiler and of the libraries, by name.
  public var versions: [String: String]
  /// Work of others that waited for a processor when the run began: the load of one minute.
  public var loadAtStart: Double

  /// Whether figures from here can stand beside figures from there.
  public func isLike(_ other: Machine) -> Bool {
    var other = other
    other.loadAtStart = loadAtStart
    return self == other
  }

  /// Looks at this machine.
  ///
  /// - Parameter directory: Where the files of the benchmarks are.
  public init(directory: FilePath) throws {
    processor = Self.processorModel() ?? "unknown"
    processorCount = sysconf(Int32(_SC_NPROCESSORS_ONLN))
    memory = Int64(sysconf(Int32(_SC_PHYS_PAGES)) * sysconf(Int32(_SC_PAGESIZE)))
    kernel = Self.firstLine("/proc/sys/kernel/osrelease")
    fileSystem = Self.fileSystem(of: directory)
    unsafe versions = [
      "glibc": String(cString: bench_libc_version()),
      "libevent": String(cString: bench_libevent_version()),
      "liburing": String(cString: bench_liburing_version()),
      "libuv": String(cString: bench_libuv_version()),
      "Swift": Self.swiftVersion,
      "SwiftNIO": String(cString: bench_nio_version()),
    ]
    let load = Self.firstLine("/proc/loadavg").split(separator: " ").first
    loadAtStart = load.flatMap { Double($0) } ?? 0
  }

  private static var swiftVersion: String {
    #if compiler(>=6.4)
      "6.4 or later"
    #elseif compiler(>=6.3.2)
      "6.3.2 or later"
    #elseif compiler(>=6.3.1)
      "6.3.1"
    #elseif compiler(>=6.3)
      "6.3"
    #else
      "6.2"
    #endif
  }

  private static func processorModel() -> String? {
    let line = text("/proc/cpuinfo").split(separator: "\n").first { $0.hasPrefix("model name") }
    return line?.split(separator: ":").last.map { String($0.drop { $0 == " " }) }
  }

  /// Of the mount that has the directory's device.
  private static func fileSystem(of directory: FilePath) -> String {
    var status = stat()
    guard unsafe stat(directory.string, &status) == 0 else { return "unknown" }
    let number = UInt64(status.st_dev)
    let device = "\(bench_major(number)):\(bench_minor(number))"
    for line in text("/proc/self/mountinfo").split(separator: "\n") {
      let words = line.split(separator: " ")
      guard words.count > 2, words[2] == device, let hyphen = words.firstIndex(of: "-"),
        hyphen + 1 < words.count
      else { continue }
      return String(words[hyphen + 1])
    }
    return "unknown"
  }

  private static func firstLine(_ path: FilePath) -> String {
    String(text(path).prefix { $0 != "\n" })
  }

  private static func text(_ path: FilePath) -> String {
    guard let file = try? FileDescriptor.open(path, .readOnly) else { return "" }
    defer { try? file.close() }
    var text: [UInt8] = []
    var bytes = [UInt8](repeating: 0, count: 4096)
    while let count = try? unsafe bytes.withUnsafeMutableBytes({ try unsafe file.read(into: $0) }),
      count > 0
    {
      text += bytes.prefix(count)
    }
    return String(decoding: text, as: UTF8.self)
  }
}
