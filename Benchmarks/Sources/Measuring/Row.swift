/// One row of the benchmarks: contestants that do the same job.
public struct Row: Measurable {
  /// Somebody who can do the row's job.
  public struct Contestant {
    let name: String
    let measure: (Job) throws -> Sample

    /// Names a contestant.
    public init(_ name: String, _ measure: @escaping (Job) throws -> Sample) {
      self.name = name
      self.measure = measure
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
  let point: PlotPoint?
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
  ///   - point: The row's place in a plot.
  ///   - fineness: So many times as many rounds, each so many times shorter, for what is at the
  ///     mercy of the scheduler.
  ///   - prepare: Runs before each measurement.
  public init(
    _ name: String, _ title: String, _ job: Job, contestants: [Contestant], matches: [Match],
    note: String? = nil, point: PlotPoint? = nil, fineness: Int = 1,
    prepare: @escaping () throws -> Void = {}
  ) {
    self.name = name
    self.title = title
    self.job = job
    self.contestants = contestants
    self.matches = matches
    self.note = note
    self.point = point
    self.fineness = fineness
    self.prepare = prepare
  }

  /// Whether it needs a file system that takes direct IO.
  public var isDirect: Bool { job.isDirect }

  /// Measures every contestant in every round. Who begins changes from round to round, so that
  /// nobody always runs on what the same neighbour left behind.
  public func run(_ settings: Report.Settings, chosen: String?) throws -> RowResult {
    let runners = contestants.filter { chosen == nil || $0.name == chosen }
    var results = runners.map { ContestantResult(name: $0.name, figures: []) }
    var job = job
    job.nanoseconds = Int64(settings.seconds * 1e9) / Int64(fineness)
    job.warmUpNanoseconds = job.nanoseconds / 5
    for round in 0..<(settings.rounds * fineness) {
      for turn in runners.indices {
        let index = (turn + round) % runners.count
        try prepare()
        let sample = try runners[index].measure(job)
        results[index].figures.append(sample.rate)
        results[index].processorMicroseconds.append(sample.processorMicroseconds)
        results[index].failedCount += sample.failed
      }
    }
    return RowResult(
      name: name, title: title, unit: "requests/s", contestants: results,
      comparisons: matches.compactMap { $0.compare(results) }, note: note, point: point)
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
