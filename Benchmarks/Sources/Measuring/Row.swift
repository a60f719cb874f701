/// One row of the benchmarks: contestants that do the same job.
public struct Row: Measurable {
  /// Somebody who can do the row's job.
  public struct Contestant {
    /// In the tables.
    public let name: String
    let measure: (Job) throws -> Sample
    var point: PlotPoint?

    /// Names a contestant.
    public init(_ name: String, _ measure: @escaping (Job) throws -> Sample) {
      self.name = name
      self.measure = measure
    }

    /// The same engine by another name, with a job that differs in something.
    public func changed(to name: String, _ change: @escaping (inout Job) -> Void) -> Self {
      Self(name) { [measure] job in
        var job = job
        change(&job)
        return try measure(job)
      }
    }

    /// The same, with a place in the row's plot.
    ///
    /// - Parameters:
    ///   - line: Of the plot; nil takes the contestant's name.
    ///   - position: How much there is of what grows.
    public func placed(on line: String? = nil, at position: Int) -> Self {
      var placed = self
      placed.point = PlotPoint(line: line ?? name, position: position)
      return placed
    }
  }

  /// What is to be compared.
  public struct Match {
    let ours: String
    let peer: String
    let floor: Floor?
    let isOfCost: Bool

    /// Sets one of ours against a peer: our requests per second, divided by the peer's.
    public init(_ ours: String, against peer: String, _ floor: Floor? = nil) {
      self.ours = ours
      self.peer = peer
      self.floor = floor
      isOfCost = false
    }

    /// Compares what one request costs: our time, divided by the other's.
    public init(costOf ours: String, against peer: String, _ floor: Floor? = nil) {
      self.ours = ours
      self.peer = peer
      self.floor = floor
      isOfCost = true
    }
  }

  /// What `--only` takes.
  public let name: String
  let title: String
  let job: Job
  let contestants: [Contestant]
  let matches: [Match]
  let note: String?
  let growth: String?
  let fineness: Int
  let prepare: () throws -> Void

  /// Describes a row.
  ///
  /// - Parameters:
  ///   - name: What `--only` takes: the kind, a hyphen, and which of the kind.
  ///   - title: What is done.
  ///   - job: The same for all contestants.
  ///   - contestants: Ours first.
  ///   - matches: What is to be compared.
  ///   - note: What a reader has to know.
  ///   - growth: What grows from contestant to contestant, if they are to be plotted.
  ///   - fineness: So many times as many rounds, each so many times shorter, for what is at the
  ///     mercy of the scheduler.
  ///   - prepare: Runs before each measurement.
  public init(
    _ name: String, _ title: String, _ job: Job, contestants: [Contestant], matches: [Match],
    note: String? = nil, growth: String? = nil, fineness: Int = 1,
    prepare: @escaping () throws -> Void = {}
  ) {
    self.name = name
    self.title = title
    self.job = job
    self.contestants = contestants
    self.matches = matches
    self.note = note
    self.growth = growth
    self.fineness = fineness
    self.prepare = prepare
  }

  /// Whether it needs a file system that takes direct IO.
  public var isDirect: Bool { job.isDirect }

  /// Measures every contestant in every round. Who begins changes from round to round, so that
  /// nobody always runs on what the same neighbour left behind.
  public func run(_ settings: Report.Settings, chosen: String?) throws -> RowResult {
    let runners = contestants.filter { chosen == nil || $0.name == chosen }
    var results = runners.map { ContestantResult(name: $0.name, figures: [], point: $0.point) }
    var job = job
    job.nanoseconds = Int64(settings.seconds * 1e9) / Int64(fineness)
    job.warmUpNanoseconds = job.nanoseconds / 5
    for round in 0..<(settings.rounds * fineness) {
      for turn in runners.indices {
        let index = (turn + round) % runners.count
        try prepare()
        let sample = try runners[index].measure(job)
        results[index].add(sample)
      }
    }
    return RowResult(
      name: name, title: title, unit: "requests/s", contestants: results,
      comparisons: matches.compactMap { $0.compare(results) }, note: note, growth: growth)
  }
}

extension Row.Match {
  /// Nil if one of the two was not measured.
  func compare(_ results: [ContestantResult]) -> Comparison? {
    guard let ours = results.first(where: { $0.name == self.ours }),
      let peer = results.first(where: { $0.name == self.peer })
    else { return nil }
    let ratios = zip(ours.figures, peer.figures).map { figures in
      isOfCost ? figures.1 / figures.0 : figures.0 / figures.1
    }
    return Comparison(
      ours: self.ours, peer: self.peer, isOfCost: isOfCost, ratio: Spread(of: ratios),
      floor: floor)
  }
}
