import PosixAIO
import Reactor
import SystemPackage

/// The result of opening a path, and its age.
final class OpenFileEntry {
  let key: PathKey

  /// Nil after ``takeIdleFile()``.
  fileprivate(set) var outcome: Result<OpenFile, FileError>?

  /// The time when the file system was last asked, in nanoseconds of the monotonic clock.
  var checked: Int64

  /// The time when the entry was last used, in the same unit.
  fileprivate(set) var used: Int64

  // The table owns its entries, and links only entries that it owns.
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

  /// The file, if only this entry refers to it. The entry must not be used afterwards.
  func takeIdleFile() -> OpenFile? {
    guard case .success(var file)? = outcome else { return nil }
    outcome = nil
    if isKnownUniquelyReferenced(&file) { return file }
    outcome = .success(file)
    return nil
  }

  fileprivate var list: OpenFileTable.List {
    if case .success? = outcome { .files } else { .names }
  }
}

/// Entries by path, in two lists: open files, and names that need no descriptor. Each list has its
/// own limit, so lookups of missing names never evict an open file.
final class OpenFileTable {
  fileprivate enum List {
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

  /// - Parameter limit: The most entries of each list, 1 or more.
  init(limit: Int) {
    self.limit = limit
  }

  var isEmpty: Bool { entries.isEmpty }
  var fileCount: Int { files.count }
  var nameCount: Int { names.count }

  subscript(key: PathKey) -> OpenFileEntry? { entries[key] }

  /// Records that an entry is used.
  func touch(_ entry: OpenFileEntry, at now: Int64) {
    entry.used = now
    // The usual case for a popular file.
    if entry.newer == nil { return }
    withList(entry.list) { list in
      list.remove(entry)
      list.append(entry)
    }
  }

  /// Inserts an entry as the most recently used one, and replaces an entry with the same path. If
  /// its list is full, the least recently used entry is removed.
  func insert(_ entry: OpenFileEntry) {
    remove(entry.key)
    entries[entry.key] = entry
    let surplus = withList(entry.list) { [limit] list in
      list.append(entry)
      return list.count > limit ? list.oldest : nil
    }
    if let surplus { remove(surplus.key) }
  }

  func remove(_ key: PathKey) {
    guard let entry = entries.removeValue(forKey: key) else { return }
    withList(entry.list) { $0.remove(entry) }
  }

  /// Removes entries that were last used at `moment` or earlier.
  func removeUnused(since moment: Int64) {
    while let entry = files.oldest, entry.used <= moment { remove(entry.key) }
    while let entry = names.oldest, entry.used <= moment { remove(entry.key) }
  }

  /// The time of the least recent use of any entry; nil without entries.
  var leastRecentUse: Int64? {
    [files.oldest, names.oldest].compactMap { $0?.used }.min()
  }

  /// Removes and returns all open files without another reference.
  func takeIdleFiles() -> [OpenFile] {
    var idle: [OpenFile] = []
    for _ in 0..<files.count {
      guard let entry = files.oldest else { break }
      files.remove(entry)
      if let file = entry.takeIdleFile() {
        entries[entry.key] = nil
        idle.append(file)
      } else {
        // Each file is moved once, so the order is kept.
        files.append(entry)
      }
    }
    return idle
  }

  @discardableResult
  private func withList<Value>(
    _ list: List, _ body: (inout RecencyList) -> Value
  ) -> Value {
    switch list {
    case .files: body(&files)
    case .names: body(&names)
    }
  }
}
