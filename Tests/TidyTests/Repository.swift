import Foundation

/// The files of this repository, as they stand.
enum Repository {
  static let root = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().appendingPathComponent("../..").standardizedFileURL

  /// All files below some directories whose names have one of these endings, sorted, without build
  /// products.
  static func files(_ directories: String..., ending endings: [String]) -> [TextFile] {
    let found = directories.flatMap { paths(below: $0) }
    return found.filter { path in endings.contains { path.hasSuffix($0) } }.sorted()
      .compactMap { TextFile($0) }
  }

  /// The documents: those beside the code, and those of its catalogues.
  static var documents: [TextFile] {
    let beside = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"]
    return beside.compactMap { TextFile($0) } + files("docs", "Sources", ending: [".md"])
  }

  static func exists(_ path: String) -> Bool {
    FileManager.default.fileExists(atPath: root.appendingPathComponent(path).path)
  }

  static func directories(in directory: String) -> [String] {
    let url = root.appendingPathComponent(directory)
    let names = (try? FileManager.default.contentsOfDirectory(atPath: url.path)) ?? []
    return names.sorted().filter { !$0.contains(".") }
  }

  private static func paths(below directory: String) -> [String] {
    let all = FileManager.default.enumerator(atPath: root.appendingPathComponent(directory).path)
    var paths: [String] = []
    while let path = all?.nextObject() as? String {
      // Hidden ones too that are deeper, such as the build of an example package.
      if path.split(separator: "/").last?.hasPrefix(".") == true {
        all?.skipDescendants()
      } else {
        paths.append("\(directory)/\(path)")
      }
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

  private init(path: String, lines: [Substring]) {
    self.path = path
    self.lines = lines
  }

  /// The file with all lines empty that do not meet a condition.
  func keeping(_ condition: (Substring) -> Bool) -> TextFile {
    TextFile(path: path, lines: lines.map { condition($0) ? $0 : "" })
  }

  /// The number of lines; the end of the last one begins none.
  var lineCount: Int { lines.last == "" ? lines.count - 1 : lines.count }

  /// The lines that meet a condition, in the format of compilers.
  func places(where condition: (Substring) -> Bool) -> [String] {
    lines.enumerated().filter { condition($0.element) }
      .map { "\(path):\($0.offset + 1): \($0.element.trimmingPrefix { $0 == " " })" }
  }
}

extension Substring {
  /// The code of a line of Swift: nothing if it begins with a comment.
  var code: Substring {
    let trimmed = trimmingPrefix { $0 == " " }
    return trimmed.hasPrefix("//") ? "" : trimmed
  }
}
