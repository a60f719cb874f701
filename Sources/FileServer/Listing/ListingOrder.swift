import Reactor
import SystemPackage

/// How a listing is sorted. Folders come first, always.
struct ListingOrder: Equatable {
  enum Key: String, CaseIterable {
    case name, size, date

    var title: String {
      switch self {
      case .name: "Name"
      case .size: "Size"
      case .date: "Changed (UTC)"
      }
    }
  }

  var key = Key.name
  var isDescending = false

  init(key: Key = .name, isDescending: Bool = false) {
    self.key = key
    self.isDescending = isDescending
  }

  /// Reads "sort=size&order=desc"; what is not understood in it changes nothing.
  init(query: String?) {
    self.init()
    for parameter in query?.utf8.split(separator: UInt8(ascii: "&")) ?? [] {
      let text = String(Substring(parameter))
      if text.hasPrefix("sort=") { key = Key(rawValue: String(text.dropFirst(5))) ?? .name }
      if text.hasPrefix("order=") { isDescending = text == "order=desc" }
    }
  }

  /// What leads to this order in a link.
  var query: String { "sort=\(key.rawValue)&order=\(isDescending ? "desc" : "asc")" }

  func sorted(_ entries: [Directory.Entry]) -> [Directory.Entry] {
    entries.sorted { left, right in
      guard left.isFolder == right.isFolder else { return left.isFolder }
      return isDescending ? isBefore(right, left) : isBefore(left, right)
    }
  }

  /// Where the key does not decide, names do.
  private func isBefore(_ left: Directory.Entry, _ right: Directory.Entry) -> Bool {
    switch key {
    case .name: break
    case .size:
      let (one, other) = (left.sortedByteCount, right.sortedByteCount)
      if one != other { return one < other }
    case .date:
      let (one, other) = (left.status.modified, right.status.modified)
      if one != other { return one.isBefore(other) }
    }
    return left.name.string < right.name.string
  }
}

extension Directory.Entry {
  /// That of a folder says nothing about what is in it.
  fileprivate var sortedByteCount: Int64 { status.kind == .regular ? status.byteCount : 0 }
}
