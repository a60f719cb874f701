import PosixAIO
import Reactor

/// The names of a directory with what a listing shows of them, in little memory: 32 bytes and the
/// name for each.
struct ListedNames {
  /// A name, with its position in the bytes of all names.
  struct Item {
    fileprivate let start: Int
    let byteCount: Int64
    let modified: Int64
    fileprivate let nanoseconds: UInt32
    // Linux limits names to 255 bytes.
    fileprivate let nameByteCount: UInt8
    let isDirectory: Bool
    let isRegular: Bool

    fileprivate var range: Range<Int> { start..<start + Int(nameByteCount) }

    /// The size for sorting. The size of a directory says nothing about its content.
    fileprivate var sortedByteCount: Int64 { isRegular ? byteCount : 0 }
  }

  private(set) var items: [Item] = []
  private var names: [UInt8] = []

  /// The memory that the names occupy.
  var heldByteCount: Int { items.count * MemoryLayout<Item>.stride + names.count }

  mutating func append(_ name: Span<UInt8>, _ status: FileStatus) {
    let start = names.count
    for index in name.indices { names.append(name[index]) }
    items.append(
      Item(
        start: start, byteCount: status.byteCount, modified: status.modified.seconds,
        nanoseconds: UInt32(truncatingIfNeeded: status.modified.nanoseconds),
        nameByteCount: UInt8(clamping: names.count - start),
        isDirectory: status.kind == .directory, isRegular: status.kind == .regular))
  }

  mutating func removeAll() {
    self = ListedNames()
  }

  /// The bytes of a name, which need not be UTF-8.
  func name(of item: Item) -> ArraySlice<UInt8> { names[item.range] }

  /// Sorts the names; directories come first.
  mutating func sort(by order: ListingOrder) {
    let bytes = self.names
    let names = bytes.span
    var sorted: [Item] = []
    swap(&sorted, &items)
    sorted.sort { left, right in
      guard left.isDirectory == right.isDirectory else { return left.isDirectory }
      let (one, other) = order.isDescending ? (right, left) : (left, right)
      switch order.key {
      case .name: break
      case .size:
        if one.sortedByteCount != other.sortedByteCount {
          return one.sortedByteCount < other.sortedByteCount
        }
      case .date:
        let (first, second) = (
          (one.modified, one.nanoseconds), (other.modified, other.nanoseconds)
        )
        if first != second { return first < second }
      }
      // Names decide between equal keys.
      return names.extracting(one.range).isBefore(names.extracting(other.range))
    }
    items = sorted
  }
}

extension Span<UInt8> {
  /// Compares byte by byte: in UTF-8, that is the order of the code points.
  fileprivate func isBefore(_ other: Span<UInt8>) -> Bool {
    for index in 0..<Swift.min(count, other.count) where self[index] != other[index] {
      return self[index] < other[index]
    }
    return count < other.count
  }
}
