import Glibc
import SystemPackage

/// A limit of the process that a test lowers for a while. The test runs alone in its process, or
/// all tests of the process share the limit.
public enum ResourceLimit {
  case pendingSignals, fileSize, openFiles

  private var resource: __rlimit_resource {
    switch self {
    case .pendingSignals: __RLIMIT_SIGPENDING
    case .fileSize: RLIMIT_FSIZE
    case .openFiles: RLIMIT_NOFILE
    }
  }

  /// Runs `body` under the soft limit `value`, and puts the former one back.
  public func lowered<Value>(to value: UInt, _ body: () throws -> Value) throws -> Value {
    var former = rlimit()
    guard unsafe getrlimit(Int32(resource.rawValue), &former) == 0 else {
      throw Errno(rawValue: errno)
    }
    try set(rlimit(rlim_cur: value, rlim_max: former.rlim_max))
    // A limit that was in force a moment ago can be set again.
    defer { try? set(former) }
    return try body()
  }

  private func set(_ limit: rlimit) throws {
    var limit = limit
    guard unsafe setrlimit(Int32(resource.rawValue), &limit) == 0 else {
      throw Errno(rawValue: errno)
    }
  }
}
