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
      return try complaints + before.differences() + traces.complaints()
    } catch {
      return ["the cell could not be run: \(error)"]
    }
  }

  /// What must be gone when the cell is over.
  private final class Traces {
    weak var reply: Reply?
    weak var loop: EventLoop?
    var recorder: Recorder?
    var folder: TemporaryDirectory?
    var mayBeDropped = false

    func complaints() throws -> [String] {
      var found: [String] = []
      if reply != nil { found.append("the handler or the task was never freed") }
      if loop != nil { found.append("the loop was never freed") }
      if let folder, let names = try Call.leftOvers(in: folder) { found.append(names) }
      guard let recorder else { return found }
      // Once more: no handler may be called after the end.
      let count = recorder.count
      if count > 1 || count == 0 && !mayBeDropped {
        found.append("completed \(count) times: \(recorder.outcomes)")
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
    traces.folder = site.folder
    traces.mayBeDropped = mayBeDropped
    try start(on: site, recorder, traces)
    try ending.end(site, recorder)
    unsafe recorder.onFirst = nil
    // From here on no handler may be called any more.
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
    return complaints
  }

  /// A function of its own, so that nothing of it holds the loop afterwards.
  private func start(on site: Site, _ recorder: Recorder, _ traces: Traces) throws {
    let start = try call.prepare(site)
    let reply = Reply(recorder)
    traces.reply = reply
    let loop = try site.liveLoop()
    try ending.before(site)
    recorder.noteCall(mayCompleteInside: ending.isOver) { try start(loop, reply) }
  }

  /// Whether no handler need be called: a call without a result, on a loop that is cancelled.
  private var mayBeDropped: Bool {
    call.traits.mayBeDropped && ending.promise(call) == .ownOrCanceled
  }

  private func judge(_ outcomes: [Outcome]) -> [String] {
    guard let outcome = outcomes.first else {
      return mayBeDropped ? [] : ["had not completed by the end of the loop"]
    }
    let promise = ending.promise(call)
    return promise.allows(outcome) ? [] : ["ended as \(outcome), and should as \(promise)"]
  }
}
