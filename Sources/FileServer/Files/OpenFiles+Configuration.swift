import PosixAIO
import Reactor

extension OpenFiles {
  /// How much is kept, and for how long.
  struct Configuration: Sendable {
    /// The most files that are kept open, and the most other names that are kept; 0 keeps nothing.
    var limit = 1000

    /// How old a result may be when it is asked for, 0 or more; 0 asks the file system each time.
    var validity = Duration.seconds(1)

    /// After how long without use a file is closed, more than 0.
    var inactivity = Duration.seconds(20)

    /// The timer of inactive files fires no more often than this.
    var timerInterval: Duration { min(inactivity, .seconds(1)) }

    func check() {
      require(limit >= 0, "OpenFiles: a limit is 0 or more")
      require(
        validity >= .zero && inactivity > .zero,
        "OpenFiles: a validity is 0 or more, and a time of inactivity more than 0")
    }
  }

  /// What has been done so far, and is kept now.
  struct Figures: Equatable, Sendable {
    /// Results that needed no open of their own.
    var hitCount: UInt64 = 0
    /// Opens, those to see whether a file is the same still among them.
    var missCount: UInt64 = 0
    /// The files that are kept open.
    var fileCount = 0
    /// Names that are kept without a descriptor: of folders, and of nothing.
    var nameCount = 0
  }
}

extension Duration {
  /// What is longer than 292 years is as long as that.
  var nanoseconds: Int64 {
    let (seconds, attoseconds) = components
    let (whole, overflows) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
    let (sum, overflowsToo) = whole.addingReportingOverflow(attoseconds / 1_000_000_000)
    return overflows || overflowsToo ? .max : sum
  }
}
