import Testing

/// Traces of development that have no place in finished code.
struct LeftOverTests {
  private static let libraries = [
    "PosixAIO", "Reactor", "ReactorHTTP", "ReactorMetrics", "ReactorServiceLifecycle",
  ]

  @Test(arguments: ["TODO", "FIXME", "XXX", "HACK"])
  func nothingIsLeftToDo(_ mark: String) {
    for file in everything where !file.path.hasPrefix("Tests/TidyTests/") {
      #expect(file.places { $0.hasWord(mark) } == [])
    }
  }

  @Test(arguments: ["try!", "as!", "fatalError(\"\")", "fatalError()", "preconditionFailure()"])
  func nothingTrapsWithoutAMessage(_ text: String) {
    for file in code { #expect(file.places { $0.code.contains(text) } == []) }
  }

  /// The compiler drops the messages of these from release builds; `require` and `trap` keep them.
  @Test(arguments: ["precondition(", "preconditionFailure(", "assertionFailure("])
  func trapsKeepTheirMessage_inReleaseBuildsToo(_ text: String) {
    for file in Repository.files("Sources", ending: [".swift"]) {
      #expect(file.places { $0.code.hasWord(text) } == [])
    }
  }

  @Test func librariesPrintNothing() {
    for library in Self.libraries {
      for file in Repository.files("Sources/\(library)", ending: [".swift"]) {
        #expect(file.places { $0.code.hasWord("print(") || $0.code.hasWord("debugPrint(") } == [])
      }
    }
  }

  /// Other projects' programs do not say when they listen.
  private static let sleepers: Set = ["Benchmarks/Sources/Programs/Peer.swift"]

  @Test func nothingSleeps() {
    for file in code where !Self.sleepers.contains(file.path) {
      #expect(file.places { $0.code.hasWord("usleep(") || $0.code.contains("Task.sleep") } == [])
    }
  }

  @Test func noMachineIsNamed() {
    for file in everything where !file.path.hasPrefix("Tests/") {
      let isCode = !file.path.hasSuffix(".md")
      let paths = ["/home/", "/work/", "/root/", "/Users/"] + (isCode ? ["/tmp/"] : [])
      #expect(file.places { line in paths.contains { line.contains($0) } } == [])
    }
  }

  private var code: [TextFile] {
    Repository.files(
      "Sources", "Snippets", "Examples", "Benchmarks/Sources", ending: [".swift"])
  }

  private var everything: [TextFile] {
    let endings = [".swift", ".c", ".h", ".md"]
    return Repository.files(
      "Sources", "Tests", "Snippets", "Examples", "docs", "Benchmarks/Sources", ending: endings)
      + ["README.md", "Package.swift", "Benchmarks/Package.swift"].compactMap { TextFile($0) }
  }
}

extension Substring {
  /// Whether the line contains a word, and not as a part of another one.
  fileprivate func hasWord(_ word: String) -> Bool {
    var rest = self[...]
    while let found = rest.firstRange(of: word) {
      let before = found.lowerBound == startIndex ? " " : self[index(before: found.lowerBound)]
      let behind = found.upperBound == endIndex ? " " : self[found.upperBound]
      let isOpen = word.hasSuffix("(") || !(behind.isLetter || behind == "_")
      if !before.isLetter, before != "_", before != ".", isOpen { return true }
      rest = self[found.upperBound...]
    }
    return false
  }
}
