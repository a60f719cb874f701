/// A row about the sockets of a loop: how long messages take, there and back, in circumstances that
/// are compared with the first.
public struct EchoRow: Measurable {
  /// What goes on beside the connection that is used.
  public struct Circumstance {
    let name: String
    let idleCount: Int
    let flood: Job?

    /// Describes one.
    ///
    /// - Parameters:
    ///   - name: In the tables.
    ///   - idleCount: Other connections that are open.
    ///   - flood: What is read meanwhile.
    public init(_ name: String, idleCount: Int = 0, flood: Job? = nil) {
      self.name = name
      self.idleCount = idleCount
      self.flood = flood
    }
  }

  private static let quantiles = [("median", 0.5), ("99 of 100", 0.99)]

  /// What `--only` takes.
  public let name: String
  private let title: String
  private let circumstances: [Circumstance]
  private let isOnOneProcessor: Bool
  private let floor: Floor
  private let growth: String?
  private let note: String?

  /// Describes a row.
  ///
  /// - Parameters:
  ///   - name: What `--only` takes.
  ///   - title: What is done.
  ///   - circumstances: What the others are compared with first.
  ///   - isOnOneProcessor: Whether client and loop share a processor.
  ///   - floor: For the median time of a message, divided by that in the first circumstances.
  ///   - growth: The name of what grows from circumstances to circumstances, if it is the idle
  ///     connections.
  ///   - note: What a reader has to know.
  public init(
    _ name: String, _ title: String, _ circumstances: [Circumstance],
    isOnOneProcessor: Bool = false, floor: Floor, growth: String? = nil, note: String? = nil
  ) {
    self.name = name
    self.title = title
    self.circumstances = circumstances
    self.isOnOneProcessor = isOnOneProcessor
    self.floor = floor
    self.growth = growth
    self.note = note
  }

  /// Whether one of the circumstances needs a file system that takes direct IO.
  public var isDirect: Bool { circumstances.contains { $0.flood?.isDirect ?? false } }

  /// Measures every circumstance in every round.
  public func run(_ settings: Report.Settings, chosen: String?) throws -> RowResult {
    let runners = circumstances.filter { chosen == nil || $0.name == chosen }
    var results = runners.map { runner in
      Self.quantiles.map { quantile, _ in
        ContestantResult(
          name: "\(runner.name), \(quantile)", figures: [],
          point: growth.map { _ in PlotPoint(line: quantile, position: runner.idleCount) })
      }
    }
    for round in 0..<settings.rounds {
      for turn in runners.indices {
        let index = (turn + round) % runners.count
        let runner = runners[index]
        let latencies = try EchoServer(idleCount: runner.idleCount)
          .measure(
            beside: runner.flood, isOnOneProcessor: isOnOneProcessor, seconds: settings.seconds)
        for (place, quantile) in Self.quantiles.enumerated() {
          results[index][place].figures.append(latencies.quantile(quantile.1))
        }
      }
    }
    return RowResult(
      name: name, title: title, unit: "µs", contestants: Array(results.joined()),
      comparisons: results.dropFirst().flatMap { compare($0, with: results[0]) }, note: note,
      growth: growth)
  }

  private func compare(
    _ results: [ContestantResult], with first: [ContestantResult]
  ) -> [Comparison] {
    zip(results, first).enumerated().map { place, pair in
      Comparison(
        ours: pair.0.name, peer: pair.1.name,
        ratio: Spread(of: zip(pair.0.figures, pair.1.figures).map { $0 / $1 }),
        floor: place == 0 ? floor : nil)
    }
  }
}

/// A row that weighs connections that nobody uses at the moment.
public struct ConnectionMemoryRow: Measurable {
  private static let mostRounds = 3

  /// What `--only` takes.
  public let name = "connections-memory"
  /// No file is involved.
  public let isDirect = false
  private let counts: [Int]

  /// Describes the row.
  ///
  /// - Parameter counts: The connections to open.
  public init(counts: [Int]) {
    self.counts = counts
  }

  /// Weighs them, at most three times: what the heap hands out does not move much.
  public func run(_ settings: Report.Settings, chosen: String?) throws -> RowResult {
    let figures = try counts.map { count in
      let rounds = 0..<min(settings.rounds, Self.mostRounds)
      return (
        name: "\(Table.count(count)) connections",
        figures: try rounds.map { _ in try EchoServer.heapBytesPerConnection(count: count) }
      )
    }
    var row = RowResult(
      name: name, title: "heap per idle connection, each used once before", unit: "bytes",
      figures: figures, floor: .atMost(4096),
      note: "What libevent takes for them is in it, what the kernel takes is not. From mallinfo2.")
    row.growth = "connections"
    for (index, count) in counts.enumerated() {
      row.contestants[index].point = PlotPoint(line: "ours", position: count)
    }
    return row
  }
}
