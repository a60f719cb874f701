@testable import PosixAIO

/// One file of a simulation: the queue's side of it, and the model of what may be in it.
///
/// Writes take whole pages, and a page belongs to one unfinished write at a time; reads and syncs
/// may come at any moment. What a page may hold is kept as the writes to it, in their order.
final class SimulatedFile {
  static let pageCount = 32

  /// A write to one page.
  private struct Version {
    enum State {
      case unfinished
      /// So many bytes of the page are the write's for certain, since this moment.
      case settled(count: Int, at: Int)
      /// Answered early: the kernel's part is not known.
      case unknown

      var isOpen: Bool {
        if case .settled = self { false } else { true }
      }
    }

    let request: Int
    let enqueuedAt: Int
    /// Where the page stands in the request.
    let place: Int
    var state = State.unfinished
  }

  let disk: SimulatedDisk
  let file: AIOFile
  private(set) var isOpen = true
  /// All requests, in the order of their acceptance.
  private(set) var requests: [SimulatedRequest] = []
  /// A write or a sync has failed before this moment.
  var failedAt: Int?
  private var versions: [[Version]]

  init(_ disk: SimulatedDisk, _ file: AIOFile) {
    self.disk = disk
    self.file = file
    versions = Array(repeating: [], count: Self.pageCount)
  }

  func noteClosing() { isOpen = false }

  /// Whether no write has these pages.
  func isFree(_ pages: Range<Int>) -> Bool {
    pages.allSatisfy { page in
      guard let last = versions[page].last else { return true }
      if case .settled = last.state { return true }
      return false
    }
  }

  func accepted(_ request: SimulatedRequest) {
    requests.append(request)
    guard request.kind == .write, disk.kind != .appending else { return }
    for (index, page) in pages(of: request).enumerated() {
      versions[page].append(
        Version(
          request: request.number, enqueuedAt: request.enqueuedAt,
          place: index * SimulatedDisk.pageByteCount))
    }
  }

  /// A write has ended with so many of its bytes in the file; nil where nobody knows.
  func ended(_ write: SimulatedRequest, byteCount: Int?, at moment: Int) {
    guard disk.kind != .appending else { return }
    for page in pages(of: write) {
      guard let index = versions[page].lastIndex(where: { $0.request == write.number }) else {
        continue
      }
      let place = versions[page][index].place
      let settledCount = byteCount.map { min(max(0, $0 - place), SimulatedDisk.pageByteCount) }
      versions[page][index].state =
        settledCount.map { .settled(count: $0, at: moment) } ?? .unknown
    }
  }

  /// What is wrong with bytes that were read at a place, or nil.
  ///
  /// - Parameter moment: Writes that had ended by then must be seen.
  func fault(in bytes: [UInt8], at offset: Int, since moment: Int) -> String? {
    fault(bytes, offset) { version in
      if case .settled(_, let at) = version.state { at < moment } else { false }
    }
  }

  /// What is missing on the disk after a sync that was accepted at this moment, or nil. Every write
  /// before it has ended.
  func missing(after moment: Int) -> String? {
    switch disk.kind {
    case .appending:
      let byteCount = requests.reduce(0) { sum, request in
        request.kind == .write && request.enqueuedAt < moment ? sum + request.doneCount : sum
      }
      return disk.durable.starts(with: disk.pages.prefix(byteCount))
        ? nil : "\(byteCount) bytes were appended, and are not all on the disk"
    case .plain, .direct:
      return fault(disk.durable, 0) { $0.enqueuedAt < moment }
    case .pipe:
      return nil
    }
  }

  /// What is wrong with the file at its end, or nil.
  func faultAtTheEnd() -> String? {
    switch disk.kind {
    case .plain, .direct: fault(in: disk.pages, at: 0, since: .max)
    case .appending: faultInAppended()
    case .pipe: nil
    }
  }

  private func pages(of request: SimulatedRequest) -> Range<Int> {
    let first = request.offset / SimulatedDisk.pageByteCount
    return first..<first + request.byteCount / SimulatedDisk.pageByteCount
  }

  /// - Parameter isCertain: Whether what was there before this version can be seen no more.
  private func fault(
    _ bytes: [UInt8], _ offset: Int, isCertain: (Version) -> Bool
  ) -> String? {
    for (index, byte) in bytes.enumerated() {
      let (page, place) = (offset + index).quotientAndRemainder(
        dividingBy: SimulatedDisk.pageByteCount)
      var mayBeOriginal = true
      var isKnown = false
      for version in versions[page].reversed() {
        if case .settled(let count, _) = version.state, place >= count { continue }
        isKnown = SimulatedContent.byte(version.place + place, of: version.request) == byte
        mayBeOriginal = version.state.isOpen || !isCertain(version)
        if isKnown || !mayBeOriginal { break }
      }
      if !isKnown, !mayBeOriginal || byte != 0 {
        return "byte \(offset + index) of \(disk.name) is \(byte)"
      }
    }
    return nil
  }

  /// What was appended stands in the order of its acceptance, each piece as far as it got. Where
  /// nobody knows how far, the next may begin at any of several places.
  private func faultInAppended() -> String? {
    var positions: Set<Int> = [0]
    for request in requests where request.kind == .write {
      var next: Set<Int> = []
      for position in positions {
        let count = matchingCount(request, at: position)
        if request.isUnknown {
          next.formUnion(position...position + count)
        } else if count >= request.doneCount {
          next.insert(position + request.doneCount)
        }
      }
      guard !next.isEmpty else { return "\(request) is not at \(positions), or not whole" }
      positions = next
    }
    return positions.contains(disk.pages.count)
      ? nil : "\(disk.name) has more than was appended, or less"
  }

  private func matchingCount(_ request: SimulatedRequest, at position: Int) -> Int {
    var count = 0
    while count < request.byteCount, position + count < disk.pages.count,
      disk.pages[position + count] == SimulatedContent.byte(count, of: request.number)
    {
      count += 1
    }
    return count
  }
}
