/// A row in which something grows, as an SVG picture: a line for each engine.
public struct Plot {
  private struct Line {
    let name: String
    let color: Int
    var points: [(position: Int, spread: Spread)]
  }

  private let row: RowResult
  private let growth: String
  private var lines: [Line] = []
  private var positions: [Int] = []
  private let ceiling: Double

  private static let left = 76.0
  private static let top = 62.0
  private static let width = 440.0
  private static let height = 230.0
  private static let legend = 536.0

  /// Both ways of looking at it: the colors of the lines are told apart on white and on black.
  private static let style = """
    <style>
    text { font: 12px sans-serif; fill: #444c56 }
    .title { font-size: 15px; fill: #1f2328 }
    .card { fill: #ffffff } .grid { stroke: #d8dee4 }
    .c0 { --c: #cf3a4f } .c1 { --c: #2477b3 } .c2 { --c: #b87a00 }
    .c3 { --c: #17826d } .c4 { --c: #8250b8 } .c5 { --c: #6e7781 }
    .line { fill: none; stroke: var(--c); stroke-width: 2 }
    .bar { stroke: var(--c); stroke-opacity: 0.55 } .dot { fill: var(--c) }
    @media (prefers-color-scheme: dark) {
    text { fill: #adbac7 } .title { fill: #e6edf3 }
    .card { fill: #0d1117 } .grid { stroke: #30363d }
    .c0 { --c: #ff7b8a } .c1 { --c: #58a6ff } .c2 { --c: #e3a83b }
    .c3 { --c: #3fc1a5 } .c4 { --c: #bc8cff } .c5 { --c: #9aa4ae }
    }
    </style>
    """

  /// The picture of a row; nil if nothing grows in it, or not enough of it was measured.
  public init?(of row: RowResult) {
    guard let growth = row.growth else { return nil }
    (self.row, self.growth) = (row, growth)
    for contestant in row.contestants {
      guard let point = contestant.point else { continue }
      if !positions.contains(point.position) { positions.append(point.position) }
      let place = (point.position, contestant.spread)
      if let index = lines.firstIndex(where: { $0.name == point.line }) {
        lines[index].points.append(place)
      } else {
        lines.append(Line(name: point.line, color: lines.count, points: [place]))
      }
    }
    positions.sort()
    ceiling = Self.ceiling(lines.flatMap(\.points).map(\.spread.maximum).max() ?? 1)
    guard positions.count > 1 else { return nil }
  }

  /// The picture's file name, made of the row's.
  public var fileName: String { "benchmarks-\(row.name).svg" }

  /// The picture.
  public var svg: String {
    var parts = [
      #"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 700 348" role="img">"#,
      "<title>\(row.title)</title>", Self.style,
      #"<rect class="card" width="700" height="348" rx="6"/>"#,
      text(row.title, x: 16, y: 24, #"class="title""#),
      text(
        "\(row.unit): the median, and bars from the least to the most of the rounds",
        x: 16, y: 44, ""),
    ]
    parts += grid()
    parts += lines.flatMap(draw)
    // In the order in which the lines end, so that the eye finds its way.
    let sorted = lines.sorted { last($0) > last($1) }
    for (index, line) in sorted.enumerated() { parts += legend(line, row: index) }
    return (parts + ["</svg>", ""]).joined(separator: "\n")
  }

  private func grid() -> [String] {
    let right = Self.left + Self.width
    var parts: [String] = []
    for step in 0...4 {
      let value = ceiling * Double(step) / 4
      let y = self.y(value)
      parts.append(
        #"<path class="grid" d="M\#(Table.tenth(Self.left)) \#(Table.tenth(y))H\#(right)"/>"#)
      parts.append(
        text(Table.number(value), x: Self.left - 8, y: y + 4, #"text-anchor="end""#))
    }
    let bottom = Self.top + Self.height
    for position in positions {
      parts.append(
        text(
          Table.count(position), x: x(position), y: bottom + 18,
          #"text-anchor="middle""#))
    }
    parts.append(
      text(growth, x: Self.left + Self.width / 2, y: bottom + 40, #"text-anchor="middle""#))
    return parts
  }

  private func draw(_ line: Line) -> [String] {
    var parts: [String] = []
    var path = ""
    for point in line.points.sorted(by: { $0.position < $1.position }) {
      let x = Table.tenth(x(point.position))
      let middle = Table.tenth(y(point.spread.median))
      let (low, high) = (y(point.spread.minimum), y(point.spread.maximum))
      path += "\(path.isEmpty ? "M" : "L")\(x) \(middle)"
      parts.append(#"<path class="bar" d="M\#(x) \#(Table.tenth(low))V\#(Table.tenth(high))"/>"#)
      parts.append(#"<circle class="dot" cx="\#(x)" cy="\#(middle)" r="3.5"/>"#)
    }
    parts.append(#"<path class="line" d="\#(path)"/>"#)
    return [#"<g class="c\#(line.color)">"#] + parts + ["</g>"]
  }

  private func legend(_ line: Line, row: Int) -> [String] {
    let y = Self.top + 10 + Double(row) * 20
    let middle = Table.tenth(y - 4)
    return [
      #"<g class="c\#(line.color)"><path class="line" "#
        + #"d="M\#(Table.tenth(Self.legend)) \#(middle)h16"/></g>"#,
      text(line.name, x: Self.legend + 22, y: y, ""),
    ]
  }

  private func text(_ text: String, x: Double, y: Double, _ attributes: String) -> String {
    #"<text x="\#(Table.tenth(x))" y="\#(Table.tenth(y))" \#(attributes)>\#(text)</text>"#
  }

  private func last(_ line: Line) -> Double {
    line.points.max { $0.position < $1.position }?.spread.median ?? 0
  }

  /// Positions stand at equal distances.
  private func x(_ position: Int) -> Double {
    let index = positions.firstIndex(of: position) ?? 0
    return Self.left + Self.width * (Double(index) + 0.5) / Double(positions.count)
  }

  private func y(_ value: Double) -> Double {
    Self.top + Self.height * (1 - value / ceiling)
  }

  /// The next number whose quarters are round.
  private static func ceiling(_ value: Double) -> Double {
    var unit = 1.0
    while unit * 10 <= value { unit *= 10 }
    let steps = [1.2, 1.6, 2.0, 2.4, 3.2, 4.0, 6.0, 8.0, 10.0]
    return unit * (steps.first { unit * $0 >= value } ?? 10)
  }
}
