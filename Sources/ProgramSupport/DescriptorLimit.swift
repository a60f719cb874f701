internal import Glibc

/// Raises the limit of open descriptors above its default, which exists for programs that use
/// select(2). If the system refuses, the program serves fewer clients at a time. Wraps
/// `setrlimit(2)`.
///
/// - Parameter count: The number of descriptors needed; nil raises the limit as far as possible.
public func raiseDescriptorLimit(to count: Int? = nil) {
  var limit = rlimit()
  guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
  let wanted = count.map { min(limit.rlim_max, rlim_t($0)) } ?? limit.rlim_max
  limit.rlim_cur = max(limit.rlim_cur, wanted)
  _ = unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
}

/// The number of descriptors that the process may have; 0 if unknown. Wraps `getrlimit(2)`.
public var descriptorLimit: Int {
  var limit = rlimit()
  guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 0 }
  return Int(clamping: limit.rlim_cur)
}
