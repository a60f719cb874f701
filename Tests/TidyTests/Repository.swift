import Foundation

/// The files of this repository, as they stand.
enum Repository {
  static let root = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().appendingPathComponent("../..").standardizedFileURL

  /// All files below some folders whose names end so, in order; without what is built.
  static func files(_ folders: String..., ending endings: [String]) -> [TextFile] {
    let found = folders.flatMap { paths(below: $0) }
    return found.filter { path in endings.contains { path.hasSuffix($0) } }.sorted()
      .compactMap { TextFile($0) }
  }

  /// The documents for people: beside the code, and of its catalogues.
  static var documents: [TextFile] {
    let beside = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"]
    return beside.compactMap { TextFile($0) } + files("docs", "Sources", ending: [".md"])
  }

  static func exists(_ path: String) -> Bool {
    FileManager.default.fileExists(atPath: root.appendingPathComponent(path).path)
  }

  static func folders(in folder: String) -> [String] {
    let url = root.appendingPathComponent(folder)
    let names = (try? FileManager.default.contentsOfDirectory(atPath: url.path)) ?? []
    return names.sorted().filter { !$0.contains(".") }
  }

  private static func paths(below folder: String) -> [String] {
    let all = FileManager.default.enumerator(atPath: root.appendingPathComponent(folder).path)
    var paths: [String] = []
    while let path = all?.nextObject() as? String {
      if path.hasPrefix(".") { all?.skipDescendants() } else { paths.append("\(folder)/\(path)") }
    }
    return paths
  }
}

/// A file's path in the repository, and its lines.
struct TextFile {
  let path: String
  let lines: [Substring]

  init?(_ path: String) {
    let url = Repository.root.appendingPathComponent(path)
    guard let text = try? String(contentsOf: url, encoding: .utf8) else { return nil }
    self.path = path
    lines = text.split(separator: "\n", omittingEmptySubsequences: false)
  }

  /// How many lines it has; the end of the last one begins none.
  var lineCount: Int { lines.last == "" ? lines.count - 1 : lines.count }

  /// Names the lines for which something holds, as compilers do.
  func places(where condition: (Substring) -> Bool) -> [String] {
    lines.enumerated().filter { condition($0.element) }
      .map { "\(path):\($0.offset + 1): \($0.element.trimmingPrefix { $0 == " " })" }
  }
}

extension Substring {
  /// What is code of a line of Swift: nothing where a comment begins it.
  var code: Substring {
    let trimmed = trimmingPrefix { $0 == " " }
    return trimmed.hasPrefix("//") ? "" : trimmed
  }
}
