internal import PosixAIO
import Reactor
import SystemPackage

/// The order of a listing. Directories always come first.
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

  /// Parses "sort=size&order=desc"; unknown parts are ignored.
  init(query: String?) {
    self.init()
    for parameter in query?.utf8.split(separator: UInt8(ascii: "&")) ?? [] {
      let text = String(Substring(parameter))
      if text.hasPrefix("sort=") { key = Key(rawValue: String(text.dropFirst(5))) ?? .name }
      if text.hasPrefix("order=") { isDescending = text == "order=desc" }
    }
  }

  /// The query of a link to this order.
  var query: String { "sort=\(key.rawValue)&order=\(isDescending ? "desc" : "asc")" }

  func sorted(_ entries: [Directory.Entry]) -> [Directory.Entry] {
    entries.sorted { left, right in
      guard left.isDirectory == right.isDirectory else { return left.isDirectory }
      return isDescending ? isBefore(right, left) : isBefore(left, right)
    }
  }

  /// Names decide between equal keys.
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
  /// The size for sorting. The size of a directory says nothing about its content.
  fileprivate var sortedByteCount: Int64 { status.kind == .regular ? status.byteCount : 0 }
}
