internal import CPeers
internal import Glibc
public import SystemPackage

/// What the figures were measured on, and with. No name of the machine and no path.
public struct Machine: Codable, Sendable {
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
  /// Versions of the libraries, by name.
  public var versions: [String: String]
  /// Work of others that waited for a processor when the run began: the load of one minute.
  public var loadAtStart: Double

  /// Looks at this machine.
  ///
  /// - Parameter directory: Where the files of the benchmarks are.
  public init(directory: FilePath) throws {
    processor = Self.processorModel() ?? "unknown"
    processorCount = sysconf(Int32(_SC_NPROCESSORS_ONLN))
    memory = Int64(sysconf(Int32(_SC_PHYS_PAGES)) * sysconf(Int32(_SC_PAGESIZE)))
    kernel = Self.firstLine("/proc/sys/kernel/osrelease")
    fileSystem = try WorkFile.fileSystem(of: directory)
    unsafe versions = [
      "glibc": String(cString: bench_libc_version()),
      "liburing": String(cString: bench_liburing_version()),
      "libuv": String(cString: bench_libuv_version()),
      "Swift": Self.swiftVersion,
    ]
    let load = Self.firstLine("/proc/loadavg").split(separator: " ").first
    loadAtStart = load.flatMap { Double($0) } ?? 0
  }

  private static var swiftVersion: String {
    #if compiler(>=6.4)
      "6.4 or later"
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

  private static func firstLine(_ path: FilePath) -> String {
    String(text(path).prefix { $0 != "\n" })
  }

  private static func text(_ path: FilePath) -> String {
    guard let file = try? FileDescriptor.open(path, .readOnly) else { return "" }
    defer { try? file.close() }
    var bytes = [UInt8](repeating: 0, count: 4096)
    let count = try? unsafe bytes.withUnsafeMutableBytes { try unsafe file.read(into: $0) }
    return String(decoding: bytes.prefix(count ?? 0), as: UTF8.self)
  }
}
