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
