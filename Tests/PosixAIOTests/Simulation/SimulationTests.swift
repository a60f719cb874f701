import Glibc
import PosixAIO
import TestSupport
import XCTest

/// Contracts 1, 2, 6, 7 and 9 of the completion queue, and on the way some others, in 1,000 random
/// programs over a libc that delays, reorders, loses, shortens, refuses, fails and cancels.
///
/// `SIMULATION_SEED` repeats one and prints what happens in it; `SIMULATION_COUNT` sets how many
/// run.
final class SimulationTests: XCTestCase {
  private static let seedCount: UInt64 = 1000
  /// For one simulation, which takes some milliseconds.
  private static let secondLimit: UInt32 = 30

  func test_queueKeepsItsContracts_whateverLibcDoes() throws {
    let before = try openDescriptors()
    let folder = try TemporaryDirectory()
    let replayed = number("SIMULATION_SEED")
    let seeds = replayed.map { $0...$0 } ?? 1...(number("SIMULATION_COUNT") ?? Self.seedCount)
    defer { alarm(0) }
    for seed in seeds {
      // A trap or an endless loop ends the process, and then this is the last line.
      if seed % 100 == 1 { print("Simulations from seed \(seed)") }
      alarm(Self.secondLimit)
      weak var queue: CompletionQueue?
      let violation = try {
        let simulation = try Simulation(seed: seed, in: folder, isTracing: replayed != nil)
        queue = simulation.queue
        try simulation.run()
        return simulation.journal.violation
      }()
      let hint = "seed \(seed), which SIMULATION_SEED=\(seed) repeats and tells more of"
      // What a queue still holds after a violation cannot be counted.
      if let violation { return XCTFail("\(violation): \(hint)") }
      guard queue == nil else { return XCTFail("something keeps the queue: \(hint)") }
      let after = try openDescriptors()
      guard after == before else { return XCTFail("\(after) are open, not \(before): \(hint)") }
    }
  }

  private func number(_ name: String) -> UInt64? {
    unsafe getenv(name).flatMap { UInt64(unsafe String(cString: $0)) }
  }
}
