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
  /// What grows from contestant to contestant, if they are plotted: the name of the axis.
  public var growth: String?

  /// Puts a row's result together.
  public init(
    name: String, title: String, unit: String, contestants: [ContestantResult],
    comparisons: [Comparison], note: String? = nil, growth: String? = nil
  ) {
    self.name = name
    self.title = title
    self.unit = unit
    self.contestants = contestants
    self.comparisons = comparisons
    self.note = note
    self.growth = growth
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

/// A contestant's place in its row's plot.
public struct PlotPoint: Codable, Sendable {
  /// The line's name.
  public var line: String
  /// How much there is of what grows.
  public var position: Int

  /// Names a place.
  public init(line: String, position: Int) {
    self.line = line
    self.position = position
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
  /// Where it stands in the row's plot, if there is one.
  public var point: PlotPoint?

  /// Puts a contestant's result together.
  public init(
    name: String, figures: [Double], processorMicroseconds: [Double] = [], failedCount: Int64 = 0,
    point: PlotPoint? = nil
  ) {
    self.name = name
    self.figures = figures
    self.processorMicroseconds = processorMicroseconds
    self.failedCount = failedCount
    self.point = point
  }

  /// How the figures lie.
  public var spread: Spread { Spread(of: figures) }

  /// Notes one more round.
  mutating func add(_ sample: Sample) {
    figures.append(sample.rate.withFiguresThatCount)
    processorMicroseconds.append(sample.processorMicroseconds.withFiguresThatCount)
    failedCount += sample.failed
  }
}
