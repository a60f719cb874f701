/// What the kernel has of one file: its pages, and what would be left of them after a crash.
final class SimulatedDisk {
  enum Kind: CaseIterable {
    case plain, direct, appending, pipe
  }

  /// What a sync that runs is bringing to the disk: pages by their number, as they were when it
  /// began, which is the least that it may bring.
  struct WriteBack {
    fileprivate var pages: [Int: [UInt8]]
    fileprivate let changeCount: Int
    fileprivate let dataOnly: Bool
  }

  static let pageByteCount = 16

  let name: String
  let kind: Kind
  private(set) var pages: [UInt8]
  private(set) var durable: [UInt8]
  private var dirty: Set<Int> = []
  /// Every write that changed something counts as one.
  private(set) var changeCount = 0
  /// The changes whose metadata is on the disk.
  private(set) var durableChangeCount = 0
  /// The reasons for which writes and syncs have failed.
  var failures: Set<Int32> = []
  /// Submissions that libc refused.
  var refusalCount = 0
  /// Is told the size when it has grown.
  var onGrowth: (Int) -> Void = { _ in }
  private var pipedCount = 0

  init(_ name: String, _ kind: Kind, byteCount: Int) {
    self.name = name
    self.kind = kind
    pages = [UInt8](repeating: 0, count: byteCount)
    durable = pages
  }

  func read(_ count: Int, at offset: Int) -> [UInt8] {
    if kind == .pipe {
      defer { pipedCount += count }
      return (pipedCount..<pipedCount + count).map { UInt8(truncatingIfNeeded: $0) }
    }
    guard offset < pages.count else { return [] }
    return Array(pages[offset..<min(pages.count, offset + count)])
  }

  func write(_ bytes: some Collection<UInt8>, at offset: Int) {
    guard !bytes.isEmpty else { return }
    let start = kind == .appending ? pages.count : offset
    let end = start + bytes.count
    if end > pages.count {
      pages += [UInt8](repeating: 0, count: end - pages.count)
      onGrowth(end)
    }
    pages.replaceSubrange(start..<end, with: bytes)
    for page in start / Self.pageByteCount...(end - 1) / Self.pageByteCount { dirty.insert(page) }
    changeCount += 1
  }

  func beginSync(dataOnly: Bool) -> WriteBack {
    defer { dirty = [] }
    return WriteBack(
      pages: Dictionary(uniqueKeysWithValues: dirty.map { ($0, content(of: $0)) }),
      changeCount: changeCount, dataOnly: dataOnly)
  }

  /// A sync that fails drops what it was to bring, and the next one knows nothing of it.
  func endSync(_ writeBack: WriteBack, error: Int32) {
    guard error == 0 else { return }
    for (page, bytes) in writeBack.pages {
      let start = page * Self.pageByteCount
      let end = start + bytes.count
      if end > durable.count { durable += [UInt8](repeating: 0, count: end - durable.count) }
      durable.replaceSubrange(start..<end, with: bytes)
    }
    if !writeBack.dataOnly { durableChangeCount = writeBack.changeCount }
  }

  private func content(of page: Int) -> [UInt8] {
    let start = page * Self.pageByteCount
    return Array(pages[start..<min(pages.count, start + Self.pageByteCount)])
  }
}
