import PosixAIO
import Reactor
import SystemPackage

/// What an attempt to open a path has led to, and when.
final class OpenFileEntry {
  let key: PathKey

  /// Nil after ``takeIdleFile()``.
  fileprivate(set) var outcome: Result<OpenFile, FileError>?

  /// When the file system was last asked, in nanoseconds of the monotonic clock.
  var checked: Int64

  /// When the entry last served, in the same.
  fileprivate(set) var used: Int64

  // The table holds its entries, and links only those that it holds.
  fileprivate unowned var newer: OpenFileEntry?
  fileprivate unowned var older: OpenFileEntry?

  init(
    _ key: PathKey, _ outcome: Result<OpenFile, FileError>, checked: Int64, used: Int64
  ) {
    self.key = key
    self.outcome = outcome
    self.checked = checked
    self.used = used
  }

  /// The file, if this entry alone refers to it. The entry is of no use after that.
  func takeIdleFile() -> OpenFile? {
    guard case .success(var file)? = outcome else { return nil }
    outcome = nil
    if isKnownUniquelyReferenced(&file) { return file }
    outcome = .success(file)
    return nil
  }

  fileprivate var row: OpenFileTable.Row {
    if case .success? = outcome { .files } else { .names }
  }
}

/// Entries by their paths, in two rows: open files, and names that need no descriptor. Each row
/// has a limit of its own, so that no number of missing names drives an open file out.
final class OpenFileTable {
  fileprivate enum Row {
    case files, names
  }

  /// Entries in the order of their last use.
  private struct RecencyList {
    private(set) var newest: OpenFileEntry?
    private(set) var oldest: OpenFileEntry?
    private(set) var count = 0

    mutating func append(_ entry: OpenFileEntry) {
      entry.older = newest
      entry.newer = nil
      newest?.newer = entry
      newest = entry
      if oldest == nil { oldest = entry }
      count += 1
    }

    mutating func remove(_ entry: OpenFileEntry) {
      if let newer = entry.newer { newer.older = entry.older } else { newest = entry.older }
      if let older = entry.older { older.newer = entry.newer } else { oldest = entry.newer }
      entry.newer = nil
      entry.older = nil
      count -= 1
    }
  }

  private let limit: Int
  private var entries: [PathKey: OpenFileEntry] = [:]
  private var files = RecencyList()
  private var names = RecencyList()

  /// - Parameter limit: The most entries of each row, 1 or more.
  init(limit: Int) {
    self.limit = limit
  }

  var isEmpty: Bool { entries.isEmpty }
  var fileCount: Int { files.count }
  var nameCount: Int { names.count }

  subscript(key: PathKey) -> OpenFileEntry? { entries[key] }

  /// Notes that an entry serves.
  func touch(_ entry: OpenFileEntry, at now: Int64) {
    entry.used = now
    // As it mostly is with a file that many ask for.
    if entry.newer == nil { return }
    withRow(entry.row) { row in
      row.remove(entry)
      row.append(entry)
    }
  }

  /// Takes an entry in as the last used one, in place of the one with its path. The least recently
  /// used one goes where there are too many.
  func insert(_ entry: OpenFileEntry) {
    remove(entry.key)
    entries[entry.key] = entry
    let surplus = withRow(entry.row) { [limit] row in
      row.append(entry)
      return row.count > limit ? row.oldest : nil
    }
    if let surplus { remove(surplus.key) }
  }

  func remove(_ key: PathKey) {
    guard let entry = entries.removeValue(forKey: key) else { return }
    withRow(entry.row) { $0.remove(entry) }
  }

  /// Takes out what has not served since a moment.
  func removeUnused(since moment: Int64) {
    while let entry = files.oldest, entry.used <= moment { remove(entry.key) }
    while let entry = names.oldest, entry.used <= moment { remove(entry.key) }
  }

  /// When the entry served that has not for the longest time; nil without entries.
  var leastRecentUse: Int64? {
    [files.oldest, names.oldest].compactMap { $0?.used }.min()
  }

  /// Takes all open files out that nobody else refers to.
  func takeIdleFiles() -> [OpenFile] {
    var idle: [OpenFile] = []
    for _ in 0..<files.count {
      guard let entry = files.oldest else { break }
      files.remove(entry)
      if let file = entry.takeIdleFile() {
        entries[entry.key] = nil
        idle.append(file)
      } else {
        // All of them go round once, so they keep their order.
        files.append(entry)
      }
    }
    return idle
  }

  @discardableResult
  private func withRow<Value>(
    _ row: Row, _ body: (inout RecencyList) -> Value
  ) -> Value {
    switch row {
    case .files: body(&files)
    case .names: body(&names)
    }
  }
}
