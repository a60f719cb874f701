internal import Glibc

/// Ignores SIGPIPE for the process from the first call on, unless somebody has decided on it
/// before.
///
/// libevent writes with `writev(2)`, which raises that signal where the peer is gone and, unlike
/// `send(2)`, cannot be told not to. Ignored, the write fails with `EPIPE`. A handler that was
/// installed stays.
package func ignoreBrokenPipes() {
  // A global's initializer runs once in a process.
  _ = areBrokenPipesIgnored
}

private let areBrokenPipesIgnored: Bool = {
  var current = sigaction()
  unsafe sigaction(SIGPIPE, nil, &current)
  guard unsafe current.__sigaction_handler.sa_handler == nil else { return false }
  signal(SIGPIPE, SIG_IGN)
  return true
}()
