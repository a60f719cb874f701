import Glibc

/// Runs `body` with the signal of `RLIMIT_FSIZE` ignored, so that writes fail with `EFBIG`.
public func ignoringFileSizeSignal<Value>(_ body: () throws -> Value) rethrows -> Value {
  signal(SIGXFSZ, SIG_IGN)
  defer { signal(SIGXFSZ, SIG_DFL) }
  return try body()
}
