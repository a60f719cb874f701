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

  /// Parses "sort=size", or "sort=-size" for the descending order; unknown parts are ignored.
  init(query: String?) {
    self.init()
    for parameter in query?.utf8.split(separator: UInt8(ascii: "&")) ?? [] {
      let text = String(Substring(parameter))
      guard text.hasPrefix("sort=") else { continue }
      let value = text.dropFirst("sort=".utf8.count)
      let name = value.hasPrefix("-") ? value.dropFirst() : value
      guard let key = Key(rawValue: String(name)) else { continue }
      self.init(key: key, isDescending: name.count < value.count)
    }
  }

  /// The value of "sort" in the query for this order.
  var value: String { (isDescending ? "-" : "") + key.rawValue }
}
