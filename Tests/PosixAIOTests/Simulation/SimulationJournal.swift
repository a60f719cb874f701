/// What happened in a simulation, and the first thing that was wrong.
final class SimulationJournal {
  /// What a contract of the queue forbids.
  private(set) var violation: String?
  /// In the simulation's microseconds; set by whoever has the clock.
  var time: UInt64 = 0
  private let isTracing: Bool

  /// - Parameter isTracing: Whether each event is printed.
  init(isTracing: Bool) {
    self.isTracing = isTracing
  }

  var isBroken: Bool { violation != nil }

  func note(_ event: @autoclosure () -> String) {
    guard isTracing else { return }
    print("\(time) µs: \(event())")
  }

  /// Notes what is wrong; what follows from it is not kept.
  func violated(_ contract: Int, _ text: @autoclosure () -> String) {
    guard violation == nil else { return }
    violation = "contract \(contract): \(text())"
    note("VIOLATED: \(violation ?? "")")
  }

  func check(_ contract: Int, _ condition: Bool, _ text: @autoclosure () -> String) {
    if !condition { violated(contract, text()) }
  }
}
