import Glibc
import ProgramSupport
import Reactor

/// A progress line on standard error, if that is a terminal.
final class Progress {
  private static let interval = Duration.milliseconds(200)

  var doneCount = 0

  private var name = ""
  private var total: Int?
  private var time: Duration?
  private var count: () -> Int = { 0 }
  private var startedAt = SuspendingClock.now
  private var timer: EventLoop.Timer?

  init(on loop: EventLoop) {
    guard isatty(STDERR_FILENO) == 1 else { return }
    timer = loop.schedule(every: Self.interval) { [self] in show() }
  }

  /// Starts a new phase, whose progress is ``doneCount``.
  func begin(_ name: String, of total: Int) {
    begin(name, of: total, time: nil) { [self] in doneCount }
  }

  /// - Parameters:
  ///   - total: The amount of work; nil if the phase is limited by time.
  ///   - time: The duration of the phase; nil if it is limited by work.
  ///   - count: Returns the amount of work done.
  func begin(
    _ name: String, of total: Int?, time: Duration?, count: @escaping () -> Int
  ) {
    self.name = name
    self.total = total
    self.time = time
    self.count = count
    doneCount = 0
    startedAt = .now
  }

  /// Clears the line.
  func end() {
    guard let timer, timer.isScheduled else { return }
    timer.cancel()
    StandardError.write("\r\u{1B}[K")
  }

  private func show() {
    let elapsed = SuspendingClock.now - startedAt
    let count = count()
    var text = "\(name): \(count)"
    if let total { text += " of \(total) (\(count * 100 / max(1, total)) %)" }
    text += ", \(elapsed.components.seconds) s"
    if let time { text += " of \(time.components.seconds) s" }
    text += ", \(Int(Double(count) / max(elapsed / .seconds(1), 0.001))) per second"
    StandardError.write("\r\u{1B}[K\(text)")
  }
}
