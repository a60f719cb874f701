/// One of ours against a peer, or against a number.
public struct Comparison: Codable, Sendable {
  /// The contestant of ours.
  public var ours: String
  /// The other one; nil where ours stands against a number alone.
  public var peer: String?
  /// Whether the time of one request is compared, not the requests per second.
  public var isOfCost: Bool
  /// Ours divided by the peer's, round by round; or ours alone.
  public var ratio: Spread
  /// What the project asks of itself.
  public var floor: Floor?

  /// Puts a comparison together.
  public init(
    ours: String, peer: String?, isOfCost: Bool = false, ratio: Spread, floor: Floor?
  ) {
    self.ours = ours
    self.peer = peer
    self.isOfCost = isOfCost
    self.ratio = ratio
    self.floor = floor
  }

  /// The two names.
  public var names: String {
    (isOfCost ? "cost of " : "") + ours + (peer.map { " / " + $0 } ?? "")
  }

  /// Whether the floor is met by the median; nil without a floor.
  public var isMet: Bool? { floor.map { $0.isMet(by: ratio.median) } }
}

/// A bound that a figure has to keep.
public enum Floor: Codable, Sendable {
  /// More is better.
  case atLeast(Double)
  /// Less is better.
  case atMost(Double)

  /// Whether a figure keeps it.
  public func isMet(by figure: Double) -> Bool {
    switch self {
    case .atLeast(let bound): figure >= bound
    case .atMost(let bound): figure <= bound
    }
  }
}
