internal import CPosixAIO
internal import SystemPackage

/// How the end of an operation is announced. Wraps `struct sigevent`.
public enum AIONotification: Equatable, Sendable {
  /// No announcement; the operation is polled or waited for. `SIGEV_NONE`.
  case none

  /// A signal to the process. `SIGEV_SIGNAL`.
  ///
  /// - Parameters:
  ///   - number: `1...31` or `SIGRTMIN...SIGRTMAX`; glibc uses the numbers between them itself.
  ///     Real-time signals are queued, one per operation, and carry the value. A standard signal
  ///     that is already pending merges with another one.
  ///   - value: All 64 bits arrive in the handler's `si_value`.
  ///
  /// When the user's `RLIMIT_SIGPENDING` is exhausted, a real-time signal is not sent, and a
  /// standard one arrives without its value. The operation and its result are not affected.
  case signal(number: Int32, value: Int)

  /// Throws `EINVAL` for a signal number for which no handler can be installed.
  func check() throws(Errno) {
    guard case .signal(let number, _) = self else { return }
    guard (1...31).contains(number) || (caio_sigrtmin()...caio_sigrtmax()).contains(number) else {
      throw .invalidArgument
    }
  }
}

/// The result of an attempt to cancel. Wraps the results of `aio_cancel(3)`.
public enum AIOCancelStatus: Equatable, Sendable {
  /// `AIO_CANCELED`: cancelled; the operation's error is `ECANCELED`, and it moved no byte.
  case canceled
  /// `AIO_NOTCANCELED`: the operation goes on, and has to be waited for.
  case notCanceled
  /// `AIO_ALLDONE`: the operation had already ended.
  case allDone
}
