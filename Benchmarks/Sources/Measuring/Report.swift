/// What the benchmarks found, in one run or in several that were put together.
public struct Report: Codable, Sendable {
  /// Where it was measured.
  public var machine: Machine
  /// How it was measured.
  public var settings: Settings
  /// The rows, in the order of the document.
  public var rows: [RowResult]

  /// Puts a report together.
  public init(machine: Machine, settings: Settings, rows: [RowResult]) {
    self.machine = machine
    self.settings = settings
    self.rows = rows
  }

  /// How long and how often was measured.
  public struct Settings: Codable, Sendable, Equatable {
    /// The measured time of each contestant in each round.
    public var seconds: Double
    /// How often each contestant was measured, in turn with the others.
    public var rounds: Int

    /// Notes them.
    public init(seconds: Double, rounds: Int) {
      self.seconds = seconds
      self.rounds = rounds
    }
  }
}
