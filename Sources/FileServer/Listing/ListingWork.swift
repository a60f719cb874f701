import PosixAIO
import Reactor

/// Makes the page of a listing in steps. Each step reads a limited number of names, or makes a
/// limited piece of the page.
///
/// Sorting needs all names, but not more memory than ``step(holding:)`` allows: beyond that, the
/// page shows the names as the file system returns them, and holds only those of the next piece.
///
/// Sendable: its owner waits for a step before the next one, and uses it nowhere else meanwhile.
final class ListingWork: @unchecked Sendable {
  /// The names that a step reads at most.
  static let namesPerStep = 1024

  /// The size of a piece of the page, to which the last row is added whole.
  static let pieceByteCount = 64 * 1024

  enum Step: Sendable {
    /// More names were read.
    case read
    case piece([UInt8], isLast: Bool)
  }

  private enum Phase {
    case reading
    /// The next row is that of this name.
    case rendering(Int)
  }

  private let listing: DirectoryListing
  private let descriptor: SharedDescriptor
  private var stream: DirectoryStream?
  private var phase = Phase.reading
  private var names = ListedNames()
  private var sum = DirectoryListing.Sum()
  private var hasAllNames = false

  init(_ listing: DirectoryListing, of directory: Directory) {
    self.listing = listing
    descriptor = directory.sharedDescriptor
  }

  /// The memory that the names occupy.
  var heldByteCount: Int { names.heldByteCount }

  /// Does the next step. Waits for the file system.
  ///
  /// - Parameter limit: The most bytes of names to hold for sorting.
  func step(holding limit: Int) throws(FileError) -> Step {
    if case .rendering(let next) = phase { return try piece(HTMLText(), from: next) }
    try readNames()
    // As many as one step reads are held in any case.
    let isSorted =
      names.heldByteCount <= limit || hasAllNames && names.items.count <= Self.namesPerStep
    guard hasAllNames || !isSorted else { return .read }
    if isSorted { names.sort(by: listing.order) }
    var page = HTMLText()
    listing.appendHead(isSorted: isSorted, to: &page)
    return try piece(page, from: 0)
  }

  private func piece(_ start: HTMLText, from first: Int) throws(FileError) -> Step {
    var (page, next) = (start, first)
    while page.byteCount < Self.pieceByteCount {
      if next < names.items.count {
        let item = names.items[next]
        DirectoryListing.appendRow(item, named: names.name(of: item), to: &page)
        sum.add(item)
        next += 1
      } else if hasAllNames {
        listing.appendTail(sum, to: &page)
        names.removeAll()
        return .piece(page.bytes, isLast: true)
      } else {
        names.removeAll()
        try readNames()
        next = 0
      }
    }
    phase = .rendering(next)
    return .piece(page.bytes, isLast: false)
  }

  private func readNames() throws(FileError) {
    let stream: DirectoryStream
    if let opened = self.stream {
      stream = opened
    } else {
      stream = try DirectoryStream(descriptor.descriptor, path: listing.path)
      self.stream = stream
    }
    let count = try stream.forNext(Self.namesPerStep) { name, status in
      if !DirectoryListing.hides(name) { names.append(name, status) }
    }
    hasAllNames = count < Self.namesPerStep
  }
}
