internal import CPosixAIO
internal import SystemPackage

/// How the end of an operation is announced. Wraps `struct sigevent`.
public enum AIONotification: Equatable, Sendable {
  /// Not at all; the operation is polled or waited for. `SIGEV_NONE`.
  case none

  /// By a signal to the process. `SIGEV_SIGNAL`.
  ///
  /// - Parameters:
  ///   - number: `1...31`, or `SIGRTMIN...SIGRTMAX`; what is between them is glibc's own. Real-time
  ///     signals queue once for each operation and carry the value; standard signals that are
  ///     pending already are merged.
  ///   - value: What the handler finds in `si_value`, all 64 bits of it.
  ///
  /// When the user's `RLIMIT_SIGPENDING` is used up, a real-time signal does not come, and a
  /// standard one comes without its value; the operation and its result are not touched by that.
  case signal(number: Int32, value: Int)

  /// Throws `EINVAL` for a signal number that no handler can be installed for.
  func check() throws(Errno) {
    guard case .signal(let number, _) = self else { return }
    guard (1...31).contains(number) || (caio_sigrtmin()...caio_sigrtmax()).contains(number) else {
      throw .invalidArgument
    }
  }
}

/// The answer to an attempt to cancel. Wraps the results of `aio_cancel(3)`.
public enum AIOCancelStatus: Equatable, Sendable {
  /// `AIO_CANCELED`: cancelled; its error is `ECANCELED`, and no byte was moved.
  case canceled
  /// `AIO_NOTCANCELED`: it goes on, and has to be waited for.
  case notCanceled
  /// `AIO_ALLDONE`: it was done before.
  case allDone
}
