import Testing

/// Files of up to 400 lines, functions of up to 40, lines of up to 100 columns.
struct LengthTests {
  private static let lineLimit = 400
  private static let functionLineLimit = 40
  private static let columnLimit = 100

  /// Longer files, with their number of lines. The numbers only decrease: shorten a file and its
  /// entry together, and remove the entry of a file that is short enough.
  private static let longer: [String: Int] = [:]

  @Test func filesAreShort() {
    for file in Repository.files(
      "Sources", "Tests", "Snippets", "Examples", ending: [".swift", ".c", ".h"])
    {
      let limit = Self.longer[file.path] ?? Self.lineLimit
      #expect(file.lineCount <= limit, "\(file.path) is too long: divide it by topic")
    }
  }

  @Test func exceptionsShrink() {
    for (path, limit) in Self.longer {
      let count = TextFile(path)?.lineCount ?? 0
      #expect(count == limit, "\(path) has \(count) lines now: change its entry, or remove it")
      #expect(count > Self.lineLimit, "\(path) needs no exception any more")
    }
  }

  @Test func linesFitIn100Columns() {
    let code = Repository.files(
      "Sources", "Tests", "Snippets", "Examples", "Benchmarks/Sources",
      ending: [".swift", ".c", ".h"])
    for file in code {
      #expect(file.places { $0.count > Self.columnLimit } == [])
    }
  }

  @Test func functionsAreShort() {
    for file in Repository.files("Sources", "Snippets", "Examples", ending: [".swift"]) {
      #expect(file.functions(longerThan: Self.functionLineLimit) == [])
    }
  }
}

extension TextFile {
  /// The functions with more lines, by the layout of swift-format: a function ends with a brace
  /// below its first word.
  fileprivate func functions(longerThan limit: Int) -> [String] {
    lines.indices.compactMap { start in
      guard lines[start].beginsFunction, let body = bodyStart(of: start) else { return nil }
      let indentation = lines[start].prefix { $0 == " " }
      let end = lines[body...].firstIndex { $0.hasPrefix(indentation + "}") } ?? lines.endIndex
      let count = end - start + 1
      return count > limit ? "\(path):\(start + 1): \(count) lines" : nil
    }
  }

  /// The line that opens the body; nil for a requirement of a protocol, or a body of one line.
  private func bodyStart(of start: Int) -> Int? {
    for line in start..<lines.endIndex {
      if lines[line].hasSuffix("{") { return line }
      if lines[line].isEmpty || lines[line].hasSuffix("}")
        || line > start && lines[line].beginsFunction
      {
        return nil
      }
    }
    return nil
  }
}

extension Substring {
  fileprivate var beginsFunction: Bool {
    guard !code.isEmpty else { return false }
    return code.split(separator: " ").prefix { !$0.contains("(") || $0.hasPrefix("init") }
      .contains { $0 == "func" || $0.hasPrefix("init") || $0 == "deinit" }
  }
}
