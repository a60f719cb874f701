/// Throughput over depth, a line for each engine, as an SVG picture.
public struct Plot {
  private struct Line {
    let name: String
    var points: [(depth: Int, spread: Spread)]
  }

  /// What is shown.
  public let title: String
  private var lines: [Line] = []
  private var depths: [Int] = []

  private static let colors = [
    "crimson", "goldenrod", "teal", "steelblue", "rebeccapurple", "dimgray",
  ]
  private static let left = 80.0
  private static let top = 40.0
  private static let width = 440.0
  private static let height = 240.0

  /// The plots for which a report has points at two depths or more.
  public static func all(of report: Report) -> [Plot] {
    var titles: [String] = []
    for row in report.rows {
      if let point = row.point, !titles.contains(point.plot) { titles.append(point.plot) }
    }
    return titles.map { Plot($0, report) }.filter { $0.depths.count > 1 }
  }

  private init(_ title: String, _ report: Report) {
    self.title = title
    for row in report.rows {
      guard let point = row.point, point.plot == title else { continue }
      depths.append(point.depth)
      for contestant in row.contestants {
        let place = (point.depth, contestant.spread)
        if let index = lines.firstIndex(where: { $0.name == contestant.name }) {
          lines[index].points.append(place)
        } else {
          lines.append(Line(name: contestant.name, points: [place]))
        }
      }
    }
  }

  /// A file name made of the title.
  public var fileName: String {
    String(
      title.lowercased().filter { $0.isLetter || $0.isNumber || $0 == " " }
        .map { $0 == " " ? "-" : $0 }) + ".svg"
  }

  /// The picture.
  public var svg: String {
    let ceiling = Self.ceiling(lines.flatMap(\.points).map(\.spread.maximum).max() ?? 1)
    var parts = [
      #"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 700 330" "#
        + #"font-family="sans-serif" font-size="12">"#,
      #"<rect width="700" height="330" fill="white"/>"#,
      text(title, x: Self.left, y: 22, #"font-size="15""#),
    ]
    parts += grid(ceiling)
    for (index, line) in lines.enumerated() {
      parts += draw(line, Self.colors[index % Self.colors.count], ceiling, legendRow: index)
    }
    return (parts + ["</svg>", ""]).joined(separator: "\n")
  }

  private func grid(_ ceiling: Double) -> [String] {
    let right = Self.left + Self.width
    var parts: [String] = []
    for step in 0...4 {
      let value = ceiling * Double(step) / 4
      let y = self.y(value, ceiling)
      parts.append(
        #"<path d="M\#(Self.left) \#(Table.tenth(y))H\#(right)" stroke="gainsboro"/>"#)
      parts.append(
        text(
          Table.number(value), x: Self.left - 8, y: y + 4, #"text-anchor="end" fill="dimgray""#))
    }
    for depth in depths {
      parts.append(
        text(
          "\(depth)", x: x(depth), y: Self.top + Self.height + 18,
          #"text-anchor="middle" fill="dimgray""#))
    }
    parts.append(
      text(
        "requests at a time; requests per second, median, bars from the least to the most",
        x: Self.left, y: Self.top + Self.height + 38, #"fill="dimgray""#))
    return parts
  }

  private func draw(
    _ line: Line, _ color: String, _ ceiling: Double, legendRow: Int
  ) -> [String] {
    var parts: [String] = []
    var path = ""
    for point in line.points {
      let x = Table.tenth(x(point.depth))
      let middle = Table.tenth(y(point.spread.median, ceiling))
      let low = Table.tenth(y(point.spread.minimum, ceiling))
      let high = Table.tenth(y(point.spread.maximum, ceiling))
      path += "\(path.isEmpty ? "M" : "L")\(x) \(middle)"
      parts.append(
        #"<path d="M\#(x) \#(low)V\#(high)" stroke="\#(color)" stroke-opacity="0.5"/>"#)
      parts.append(#"<circle cx="\#(x)" cy="\#(middle)" r="3" fill="\#(color)"/>"#)
    }
    parts.append(#"<path d="\#(path)" stroke="\#(color)" stroke-width="2" fill="none"/>"#)
    let y = Self.top + 14 + Double(legendRow) * 20
    parts.append(#"<rect x="540" y="\#(y - 8)" width="14" height="4" fill="\#(color)"/>"#)
    parts.append(text(line.name, x: 560, y: y, ""))
    return parts
  }

  private func text(_ text: String, x: Double, y: Double, _ attributes: String) -> String {
    #"<text x="\#(Table.tenth(x))" y="\#(Table.tenth(y))" \#(attributes)>\#(text)</text>"#
  }

  /// Depths stand at equal distances.
  private func x(_ depth: Int) -> Double {
    let index = depths.firstIndex(of: depth) ?? 0
    return Self.left + Self.width * (Double(index) + 0.5) / Double(depths.count)
  }

  private func y(_ value: Double, _ ceiling: Double) -> Double {
    Self.top + Self.height * (1 - value / ceiling)
  }

  /// The next round number.
  private static func ceiling(_ value: Double) -> Double {
    var unit = 1.0
    while unit * 10 <= value { unit *= 10 }
    let steps = [1.2, 1.6, 2.0, 3.0, 4.0, 6.0, 8.0, 10.0]
    return unit * (steps.first { unit * $0 >= value } ?? 10)
  }
}
