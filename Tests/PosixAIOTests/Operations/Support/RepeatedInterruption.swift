import Glibc
import Synchronization

/// A handler that runs again and again on the first thread, so that one of its runs interrupts
/// whatever waits there.
enum RepeatedInterruption {
  /// How often the handler has run in this process.
  static var count: Int { runCount.load(ordering: .relaxed) }

  static func during<Value>(_ body: () throws -> Value) rethrows -> Value {
    _ = count
    var former = sigaction()
    var action = sigaction()
    unsafe action.__sigaction_handler.sa_handler = { _ in
      runCount.add(1, ordering: .relaxed)
    }
    // Without SA_RESTART: calls that wait return EINTR.
    unsafe sigaction(SIGALRM, &action, &former)
    set(microseconds: 2_000)
    defer {
      set(microseconds: 0)
      unsafe sigaction(SIGALRM, &former, nil)
    }
    return try body()
  }

  private static func set(microseconds: Int) {
    let interval = timeval(tv_sec: 0, tv_usec: microseconds)
    var timer = itimerval(it_interval: interval, it_value: interval)
    unsafe setitimer(Int32(ITIMER_REAL.rawValue), &timer, nil)
  }
}

private let runCount = Atomic<Int>(0)
