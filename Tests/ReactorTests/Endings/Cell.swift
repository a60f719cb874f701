import Glibc
import Reactor
import SystemPackage
import TestSupport

/// One call in one ending.
struct Cell {
  let call: Call
  let ending: Ending

  var name: String { "\(call.name)/\(call.style.rawValue)/\(ending.name)" }

  /// Runs it.
  ///
  /// - Returns: What was wrong, nothing if all was right.
  func run() -> [String] {
    CellDeadline.begin(name)
    defer { CellDeadline.end() }
    do {
      let before = try ProcessState.now()
      let traces = Traces()
      let complaints = try run(traces)
      return complaints + (try before.differences()) + traces.complaints()
    } catch {
      return ["the cell could not be run: \(error)"]
    }
  }

  /// What must be gone when the cell is over.
  private final class Traces {
    weak var reply: Reply?
    weak var loop: EventLoop?
    var recorder: Recorder?
    var mayBeDropped = false

    func complaints() -> [String] {
      var found: [String] = []
      if reply != nil { found.append("the handler or the task was never freed") }
      if loop != nil { found.append("the loop was never freed") }
      guard let recorder else { return found }
      // Once more: nobody may be called behind the end.
      let count = recorder.count
      if count > 1 || count == 0 && !mayBeDropped {
        found.append("answered \(count) times: \(recorder.outcomes)")
      }
      return found
    }
  }

  private func run(_ traces: Traces) throws -> [String] {
    var configuration = EventLoop.Configuration()
    ending.configure(&configuration)
    let closeWaits = call.traits.end == .whenLet && call.traits.atClose == .runs
    let site = try Site(
      borrowing: ending.isBorrowed, configuration, closeWaits: closeWaits)
    let recorder = Recorder()
    traces.recorder = recorder
    traces.loop = site.weakLoop
    traces.mayBeDropped = call.traits.mayBeDropped
    try start(on: site, recorder, traces)
    try ending.end(site, recorder)
    // From here on nobody may be told anything any more.
    var complaints = recorder.complaints
    complaints += judge(recorder.outcomes)
    site.dropLoop()
    site.letGo()
    site.dropObjects()
    if let base = site.base, base.addedCount != 0 {
      complaints.append("\(base.addedCount) events were left in the borrowed base")
    }
    let outcome = recorder.outcomes.first ?? .failure(Errno.canceled)
    if let complaint = try call.check(site.folder, outcome) { complaints.append(complaint) }
    if let complaint = try Call.leftOvers(in: site.folder) { complaints.append(complaint) }
    return complaints
  }

  /// A function of its own, so that nothing of it holds the loop afterwards.
  private func start(on site: Site, _ recorder: Recorder, _ traces: Traces) throws {
    let start = try call.prepare(site)
    let reply = Reply(recorder)
    traces.reply = reply
    let loop = try site.liveLoop()
    try ending.before(site)
    recorder.noteCall { try start(loop, reply) }
  }

  private func judge(_ outcomes: [Outcome]) -> [String] {
    guard let outcome = outcomes.first else {
      return call.traits.mayBeDropped ? [] : ["was not answered by the end of the loop"]
    }
    let promise = ending.promise(call)
    return promise.allows(outcome) ? [] : ["ended as \(outcome), and should as \(promise)"]
  }
}

/// Ends the process when a cell hangs, and says which.
private enum CellDeadline {
  private static let byteLimit = 400

  // Written on one thread, before the alarm that has it read.
  nonisolated(unsafe) private static let text = UnsafeMutablePointer<CChar>.allocate(
    capacity: byteLimit)

  private static let handler: Void = {
    var action = sigaction()
    unsafe action.__sigaction_handler.sa_handler = { _ in expire() }
    unsafe sigaction(SIGALRM, &action, nil)
  }()

  static func begin(_ name: String) {
    handler
    unsafe strncpy(text, "the cell hangs: \(name)\n", byteLimit - 1)
    alarm(MatrixSettings.deadlineSeconds)
  }

  static func end() {
    alarm(0)
  }

  /// Calls only what a signal handler may.
  private static func expire() {
    unsafe write(STDERR_FILENO, text, strlen(text))
    abort()
  }
}

/// What the environment asks of the matrix.
enum MatrixSettings {
  /// Prints the name of each cell before it runs: after a crash the last one is to blame.
  static let isVerbose = unsafe getenv("AIO_MATRIX_VERBOSE") != nil
  /// Runs only cells in whose name this occurs.
  static let only = text("AIO_MATRIX_ONLY")
  /// Leaves out cells in whose name one of these occurs, which commas part.
  static let skipped = (text("AIO_MATRIX_SKIP") ?? "").split(separator: ",").map(String.init)
  /// How long a cell may take: far more than any machine needs.
  static let deadlineSeconds =
    text("AIO_MATRIX_DEADLINE").flatMap { UInt32($0) }
    ?? UInt32(testDeadline.components.seconds)

  static func say(_ text: String) {
    unsafe write(STDERR_FILENO, text, text.utf8.count)
  }

  static func includes(_ name: String) -> Bool {
    !skipped.contains { name.contains($0) } && only.map { name.contains($0) } ?? true
  }

  private static func text(_ name: String) -> String? {
    unsafe getenv(name).map { unsafe String(cString: $0) }
  }
}
