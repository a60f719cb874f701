internal import Glibc

/// The permissions that the process takes off those of new files. Wraps `umask(2)`, which can only
/// be asked by setting it.
public func processUmask() -> Int {
  let mask = umask(0o077)
  umask(mask)
  return Int(mask)
}
