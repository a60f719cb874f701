import PosixAIO
import Reactor

extension OpenFiles {
  /// The limits of the cache.
  struct Configuration: Sendable {
    /// The most files that are kept open, and also the most other names that are kept; 0 disables
    /// the cache. The default is 1000.
    var limit = 1000

    /// The age from which a result is checked again, 0 or more; 0 asks the file system for each
    /// request. The default is 1 second.
    var validity = Duration.seconds(1)

    /// The time without use after which a file is closed, more than 0. The default is 20 seconds.
    var inactivity = Duration.seconds(20)

    /// The `Cache-Control` of the files; nil sends none.
    var cacheControl: String?

    /// The minimum interval of the timer for inactive files.
    var timerInterval: Duration { min(inactivity, .seconds(1)) }

    func check() {
      require(limit >= 0, "OpenFiles: the limit is 0 or more")
      require(
        validity >= .zero && inactivity > .zero,
        "OpenFiles: validity is 0 or more, inactivity more than 0")
    }
  }

  /// Statistics of the cache.
  struct Statistics: Equatable, Sendable {
    /// Results that did not need their own open.
    var hitCount: UInt64 = 0
    /// Opens, including those that check for changes.
    var missCount: UInt64 = 0
    /// The number of files kept open.
    var fileCount = 0
    /// The number of names kept without a descriptor: directories, and missing or forbidden files.
    var nameCount = 0
  }
}

extension Duration {
  /// The duration in nanoseconds; a longer duration than 292 years becomes `Int64.max`.
  var nanoseconds: Int64 {
    let (seconds, attoseconds) = components
    let (whole, overflows) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
    let (sum, overflowsToo) = whole.addingReportingOverflow(attoseconds / 1_000_000_000)
    return overflows || overflowsToo ? .max : sum
  }
}
