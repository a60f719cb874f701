internal import Foundation
internal import Measuring

/// One row: servers that get the same load, in turn.
struct ProgramRow: Measurable {
  /// What one measurement of one server gave.
  struct Figure {
    var value: Double
    /// Requests that were answered, and those that failed; for the processor time of each.
    var requestCount = 0.0
    var failedCount: Int64 = 0
  }

  /// One thing that is measured.
  struct Contestant {
    let name: String
    let peer: Peer
    let measure: (RunningPeer, _ seconds: Double) throws -> Figure
  }

  /// One of ours against a peer, or against a number alone.
  struct Match {
    let ours: String
    var peer: String?
    let floor: Floor?
  }

  let name: String
  let title: String
  let unit: String
  let contestants: [Contestant]
  let matches: [Match]
  let note: String?
  let folder: URL

  /// Of a row whose figures hardly move.
  var mostRounds = Int.max

  let isDirect = false

  /// Of the first server; the others follow.
  private static let firstPort: UInt16 = 18_600

  func run(_ settings: Report.Settings, chosen: String?) throws -> RowResult {
    let runners = contestants.filter { chosen == nil || $0.name == chosen }
    var results = runners.map { ContestantResult(name: $0.name, figures: []) }
    for round in 0..<min(settings.rounds, mostRounds) {
      // Anew each time: where its memory happens to lie moves a server's figure by up to a tenth.
      let servers = try start(runners.map(\.peer))
      for turn in runners.indices {
        let index = (turn + round) % runners.count
        guard let server = servers[runners[index].peer.name] else { continue }
        let before = server.processorTime
        let figure = try runners[index].measure(server, settings.seconds)
        results[index].figures.append(figure.value)
        results[index].failedCount += figure.failedCount
        if figure.requestCount > 0 {
          results[index].processorMicroseconds.append(
            (server.processorTime - before) * 1e6 / figure.requestCount)
        }
      }
    }
    return RowResult(
      name: name, title: title, unit: unit, contestants: results,
      comparisons: matches.flatMap { $0.compare(results) }, note: note)
  }

  private func start(_ peers: [Peer]) throws -> [String: RunningPeer] {
    var servers: [String: RunningPeer] = [:]
    for (index, peer) in peers.enumerated() where servers[peer.name] == nil {
      servers[peer.name] = try RunningPeer(
        peer, port: Self.firstPort + UInt16(index), folder: folder)
    }
    return servers
  }
}

extension ProgramRow.Match {
  /// The figures, and where it was measured the processor time of a request: the load generator
  /// shares the processors with the servers, and does not count there. Empty if one of the two was
  /// not measured.
  fileprivate func compare(_ results: [ContestantResult]) -> [Comparison] {
    guard let ours = results.first(where: { $0.name == self.ours }) else { return [] }
    guard let name = peer else {
      return [Comparison(ours: ours.name, peer: nil, ratio: ours.spread, floor: floor)]
    }
    guard let peer = results.first(where: { $0.name == name }) else { return [] }
    let ratios = Self.ratios(ours.figures, peer.figures)
    var all = [
      Comparison(ours: ours.name, peer: name, ratio: Spread(of: ratios), floor: floor)
    ]
    let costs = Self.ratios(ours.processorMicroseconds, peer.processorMicroseconds)
    if !costs.isEmpty {
      all.append(
        Comparison(
          ours: ours.name, peer: name, isOfCost: true, ratio: Spread(of: costs), floor: nil))
    }
    return all
  }

  /// Round by round.
  private static func ratios(_ ours: [Double], _ peers: [Double]) -> [Double] {
    zip(ours, peers).map { $0 / $1 }
  }
}
