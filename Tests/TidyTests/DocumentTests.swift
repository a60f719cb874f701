import Foundation
import Testing

/// The documents: their links lead somewhere, and their code is compiled.
struct DocumentTests {
  /// Code that no target compiles, with the reason.
  private static let uncompiled = [
    // Its products are empty without the package traits.
    "Sources/Reactor/Reactor.docc/Integrations.md",
    "docs/nix-parity.md",  // Rust's side of a comparison
  ]

  @Test func everyLinkLeadsSomewhere() {
    for document in Repository.documents {
      for link in document.links where !link.contains("://") {
        let parts = link.split(separator: "#", maxSplits: 1, omittingEmptySubsequences: false)
        let target = parts[0].isEmpty ? document.path : document.resolve(String(parts[0]))
        #expect(Repository.exists(target), "\(document.path) links to \(link)")
        guard parts.count == 2, let page = TextFile(target) else { continue }
        #expect(page.anchors.contains(String(parts[1])), "\(document.path) links to \(link)")
      }
    }
  }

  /// From the README, by way of other pages.
  @Test func everyPageCanBeReached() {
    var reached: Set = ["README.md"]
    var unread = ["README.md"]
    while let path = unread.popLast() {
      guard let page = TextFile(path) else { continue }
      for link in page.links where !link.contains("://") {
        let target = page.resolve(String(link.prefix { $0 != "#" }))
        if target.hasSuffix(".md"), reached.insert(target).inserted { unread.append(target) }
      }
    }
    for document in Repository.documents where !document.path.hasPrefix("Sources/") {
      #expect(reached.contains(document.path), "no page leads to \(document.path)")
    }
  }

  @Test func swiftInDocumentsIsPartOfAProgramThatIsCompiled() {
    let programs = Repository.files(
      "Snippets", "Examples", "Benchmarks/Sources", "Tests", ending: [".swift"]
    ).map(\.withoutIndentation)
    for document in Repository.documents where !Self.uncompiled.contains(document.path) {
      for block in document.swiftBlocks where !block.isOfAManifest {
        let isCompiled = programs.contains { $0.contains(block) }
        #expect(isCompiled, "\(document.path) shows code that stands in no program:\n\(block)")
      }
    }
  }

  /// After a new measurement, they have to be copied.
  @Test func numbersInTheReadmeAreThoseOfTheBenchmarks() throws {
    let readme = try #require(TextFile("README.md"))
    let benchmarks = try #require(TextFile("docs/benchmarks.md"))
    let section = readme.lines.drop { $0 != "<!-- figures of docs/benchmarks.md -->" }
      .dropFirst().prefix { !$0.hasPrefix("#") }
    let words = section.flatMap { $0.split(separator: " ") }.map { $0.trimmingSuffix(",") }
    let numbers = words.filter {
      $0.allSatisfy { $0.isNumber || ",.".contains($0) } && $0.count > 3
    }
    #expect(numbers.count > 10)
    for number in numbers {
      #expect(benchmarks.lines.contains { $0.contains(" \(number) ") }, "\(number)")
    }
  }

  @Test func everySnippetIsShownOrNamed() {
    let documents = Repository.documents
    for program in Repository.files("Snippets", "Examples", ending: [".swift"]) {
      let isUsed = documents.contains { document in
        document.lines.contains { $0.contains(program.path) }
          || document.swiftBlocks.contains { program.withoutIndentation.contains($0) }
      }
      #expect(isUsed, "no document shows \(program.path)")
    }
  }
}

extension TextFile {
  /// The targets of links and pictures, outside of code.
  fileprivate var links: [String] {
    var isCode = false
    var links: [String] = []
    for line in lines {
      if line.hasPrefix("```") { isCode.toggle() }
      guard !isCode else { continue }
      for part in line.split(separator: "](").dropFirst() {
        links.append(String(part.prefix { $0 != ")" && $0 != " " }))
      }
      for part in line.split(separator: "src=\"").dropFirst() {
        links.append(String(part.prefix { $0 != "\"" }))
      }
    }
    return links
  }

  /// The path in the repository of a link's target.
  fileprivate func resolve(_ link: String) -> String {
    let directory = URL(fileURLWithPath: "/\(path)").deletingLastPathComponent()
    return String(directory.appendingPathComponent(link).standardizedFileURL.path.dropFirst())
  }

  /// The anchors of the headings, as code hosts make them.
  fileprivate var anchors: Set<String> {
    Set(
      lines.filter { $0.hasPrefix("#") }.map { line in
        let title = line.trimmingPrefix { $0 == "#" }.dropFirst().lowercased()
        return String(title.compactMap { $0 == " " ? "-" : $0 }.filter { $0.isAnchorCharacter })
      })
  }

  /// The blocks of Swift, one line after the other, without indentation.
  fileprivate var swiftBlocks: [String] {
    var blocks: [String] = []
    var block: [Substring]?
    for line in lines {
      if line == "```swift" {
        block = []
      } else if line == "```", let ended = block {
        blocks.append(ended.joined(separator: "\n"))
        block = nil
      } else {
        block?.append(line.trimmingPrefix { $0 == " " })
      }
    }
    return blocks
  }

  fileprivate var withoutIndentation: String {
    lines.map { $0.trimmingPrefix { $0 == " " } }.joined(separator: "\n")
  }
}

extension Substring {
  fileprivate func trimmingSuffix(_ end: Character) -> Substring { last == end ? dropLast() : self }
}

extension String {
  /// Whether the code belongs in a Package.swift.
  fileprivate var isOfAManifest: Bool { hasPrefix(".package(") || hasPrefix(".product(") }
}

extension Character {
  fileprivate var isAnchorCharacter: Bool { isLetter || isNumber || self == "-" || self == "_" }
}
