/// Something that gives a row of the tables.
public protocol Measurable {
  /// What `--only` takes: the kind, a hyphen, and which of the kind.
  var name: String { get }

  /// Whether it needs a file system that takes direct IO.
  var isDirect: Bool { get }

  /// Measures it.
  ///
  /// - Parameters:
  ///   - settings: How long and how often.
  ///   - chosen: The contestants to measure, by name; nil measures all.
  func run(_ settings: Report.Settings, chosen: String?) throws -> RowResult
}

extension Measurable {
  /// Whether `--only` asks for this row: by its name, by its kind, or since it asks for nothing.
  public func isChosen(_ only: [String]) -> Bool { only.choose(name) }
}

extension [String] {
  /// Whether these, given to `--only`, ask for a row of that name.
  public func choose(_ name: String) -> Bool {
    isEmpty || contains { $0 == name || name.hasPrefix($0 + "-") }
  }
}
