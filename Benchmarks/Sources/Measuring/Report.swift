internal import Foundation

/// Everything that one run of the benchmarks found, as it is written to the JSON file.
public struct Report: Codable, Sendable {
  /// Where it was measured.
  public var machine: Machine
  /// How it was measured.
  public var settings: Settings
  /// The rows that were asked for, in order.
  public var rows: [RowResult]

  /// Puts a report together.
  public init(machine: Machine, settings: Settings, rows: [RowResult]) {
    self.machine = machine
    self.settings = settings
    self.rows = rows
  }

  /// Writes everything to a file, as JSON.
  public func write(to path: String) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
    var data = try encoder.encode(self)
    data.append(UInt8(ascii: "\n"))
    try data.write(to: URL(fileURLWithPath: path))
  }

  /// How long and how often was measured.
  public struct Settings: Codable, Sendable {
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

/// What one row gave.
public struct RowResult: Codable, Sendable {
  /// What `--only` takes.
  public var name: String
  /// What is done, in words.
  public var title: String
  /// Of the figures.
  public var unit: String
  /// The contestants, ours first.
  public var contestants: [ContestantResult]
  /// Ours against peers.
  public var comparisons: [Comparison]
  /// What a reader has to know, if anything.
  public var note: String?
  /// Which curve of a plot the row belongs to, and where.
  public var point: PlotPoint?

  /// Puts a row's result together.
  public init(
    name: String, title: String, unit: String, contestants: [ContestantResult],
    comparisons: [Comparison], note: String? = nil, point: PlotPoint? = nil
  ) {
    self.name = name
    self.title = title
    self.unit = unit
    self.contestants = contestants
    self.comparisons = comparisons
    self.note = note
    self.point = point
  }
}

extension RowResult {
  /// A row of ours alone: each contestant's figures stand against the same number.
  public init(
    name: String, title: String, unit: String, figures: [(name: String, figures: [Double])],
    floor: Floor, note: String? = nil
  ) {
    self.init(
      name: name, title: title, unit: unit,
      contestants: figures.map {
        ContestantResult(name: $0.name, figures: $0.figures)
      },
      comparisons: figures.map {
        Comparison(ours: $0.name, peer: nil, ratio: Spread(of: $0.figures), floor: floor)
      },
      note: note)
  }
}

/// A row's place in a plot.
public struct PlotPoint: Codable, Sendable {
  /// The plot's title.
  public var plot: String
  /// Requests at a time.
  public var depth: Int

  /// Names a place.
  public init(plot: String, depth: Int) {
    self.plot = plot
    self.depth = depth
  }
}

/// What one contestant reached in the rounds.
public struct ContestantResult: Codable, Sendable {
  /// The engine's name.
  public var name: String
  /// One figure per round, in the order of the rounds.
  public var figures: [Double]
  /// Processor time for one request in each round, over all threads, in microseconds.
  public var processorMicroseconds: [Double]
  /// Requests that failed or moved wrong bytes: a sum over the rounds.
  public var failedCount: Int64

  /// Puts a contestant's result together.
  public init(
    name: String, figures: [Double], processorMicroseconds: [Double] = [], failedCount: Int64 = 0
  ) {
    self.name = name
    self.figures = figures
    self.processorMicroseconds = processorMicroseconds
    self.failedCount = failedCount
  }

  /// How the figures lie.
  public var spread: Spread { Spread(of: figures) }
}
