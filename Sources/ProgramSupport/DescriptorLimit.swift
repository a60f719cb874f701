internal import Glibc

/// Has more descriptors than the usual limit, which is there for programs that use select(2). Where
/// the system does not grant them, fewer clients are served at a time. Wraps `setrlimit(2)`.
///
/// - Parameter count: As many as are needed; nil is as many as there may be.
public func raiseDescriptorLimit(to count: Int? = nil) {
  var limit = rlimit()
  guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
  let wanted = count.map { min(limit.rlim_max, rlim_t($0)) } ?? limit.rlim_max
  limit.rlim_cur = max(limit.rlim_cur, wanted)
  _ = unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
}

/// How many descriptors the process may have; 0 if that cannot be found out. Wraps `getrlimit(2)`.
public var descriptorLimit: Int {
  var limit = rlimit()
  guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 0 }
  return Int(clamping: limit.rlim_cur)
}
