import Testing

/// Documents and doc comments use the field's words, in plain English.
struct WordingTests {
  /// Beginnings of words, and phrases, that have a better counterpart; and the counterpart.
  private static let replaced = [
    ("unless set", "by default"),
    ("polite", "graceful shutdown"),
    ("folder", "directory"),
    ("figures", "statistics, measurements"),
    ("answer", "response, reply, result"),
    ("harvest", "reap"),
    ("hand over", "submit"),
    ("hands over", "submits"),
    ("handed over", "submitted"),
    ("doorbell", "sync marker"),
    ("callLater", "nextTurn"),
    ("helperLimit", "aioThreadLimit, offloadThreadLimit"),
    ("streamLimit", "blockingFileLimit"),
    ("nobody", "the code or the case that is meant"),
    ("somebody", "the code or the case that is meant"),
    ("so many", "this many, the number"),
    ("for ever", "permanently, without end"),
    ("anew", "again"),
    ("behind the back", "in the background"),
    ("time-out", "timeout"),
  ]

  @Test(arguments: replaced)
  func wordHasABetterOne(_ word: String, _ better: String) {
    for text in Self.texts {
      let places = text.places { $0.hasWord(beginningWith: word.lowercased()) }
      #expect(places == [], "\"\(word)\": say \(better)")
    }
  }

  /// The prose of the documents, and the doc comments of the sources.
  private static let texts: [TextFile] = {
    let sources = Repository.files("Sources", ending: [".swift"]).map { $0.keeping(\.isDocComment) }
    return Repository.documents.map(\.prose) + sources
  }()
}

extension TextFile {
  /// The document without code blocks and comments; the lines keep their numbers.
  fileprivate var prose: TextFile {
    var isCode = false
    return keeping { line in
      if line.hasPrefix("```") { isCode.toggle() }
      return !isCode && !line.hasPrefix("<!--")
    }
  }
}

extension Substring {
  fileprivate var isDocComment: Bool { trimmingPrefix { $0 == " " }.hasPrefix("///") }

  /// Whether a word of the line begins like this; a phrase has to end with a word, too.
  fileprivate func hasWord(beginningWith beginning: String) -> Bool {
    let line = lowercased()
    guard line.contains(beginning) else { return false }
    return line.ranges(of: beginning).contains { range in
      let isStart =
        range.lowerBound == line.startIndex || !line[line.index(before: range.lowerBound)].isLetter
      let isEnd = range.upperBound == line.endIndex || !line[range.upperBound].isLetter
      return isStart && (isEnd || !beginning.contains(" "))
    }
  }
}
