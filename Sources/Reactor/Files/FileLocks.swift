internal import Glibc
internal import PosixAIO
internal import Synchronization
internal import SystemPackage

/// The locks of one open file, in the order in which the kernel granted them.
///
/// The kernel keeps one state for each byte of an open file. If a request is given up and its lock
/// is granted later, releasing its range would also release what the file has locked there before
/// or since. This record says which state to restore instead.
///
/// Helper threads change it together with the kernel's state.
final class FileLocks: Sendable {
  /// Whether a granted lock has reached its request.
  final class Delivery: Sendable {
    let isDone = Atomic<Bool>(false)
  }

  private struct Entry {
    let range: Range<Int64>
    let type: Int32
    /// Nil for a lock that the file keeps.
    let delivery: Delivery?
  }

  /// Later entries cover earlier ones.
  private let entries = Mutex<[Entry]>([])

  /// Takes or releases a lock at once.
  ///
  /// - Parameters:
  ///   - type: `F_RDLCK`, `F_WRLCK` or `F_UNLCK`.
  ///   - range: One that ends at the largest offset has no end.
  func set(
    _ type: Int32, _ range: Range<Int64>, of descriptor: FileDescriptor, path: FilePath
  ) throws(FileError) {
    try entries.withLock { entries throws(FileError) in
      try Self.apply(type, range, to: descriptor, path: path)
      entries = Self.settled(entries)
      Self.cut(range, from: &entries)
      if type != F_UNLCK { entries.append(Entry(range: range, type: type, delivery: nil)) }
    }
  }

  /// Waits for a lock, which must then reach its request or be taken back.
  func wait(
    _ type: Int32, _ range: Range<Int64>, of descriptor: FileDescriptor, path: FilePath
  ) throws(FileError) -> Delivery {
    while true {
      try Self.apply(type, range, waits: true, to: descriptor, path: path)
      let delivery = try entries.withLock { entries throws(FileError) -> Delivery? in
        // The lock may have been taken back already, with that of another request of this file.
        guard try Self.tryToApply(type, range, to: descriptor, path: path) else { return nil }
        let delivery = Delivery()
        entries.append(Entry(range: range, type: type, delivery: delivery))
        return delivery
      }
      if let delivery { return delivery }
    }
  }

  /// Restores the state without a lock that did not reach its request.
  func takeBack(_ delivery: Delivery, of descriptor: FileDescriptor, path: FilePath) {
    entries.withLock { entries in
      entries = Self.settled(entries)
      let returned = entries.filter { $0.delivery === delivery }
      entries.removeAll { $0.delivery === delivery }
      for piece in returned.flatMap({ Self.states(in: $0.range, entries) }) {
        // After a failure there is nothing to restore, and it cannot be reported.
        try? Self.apply(piece.type, piece.range, to: descriptor, path: path)
      }
    }
  }

  // MARK: - The record

  /// Drops what a lock covers that has reached its request.
  private static func settled(_ entries: [Entry]) -> [Entry] {
    var settled: [Entry] = []
    for entry in entries {
      guard entry.delivery?.isDone.load(ordering: .relaxed) ?? true else {
        settled.append(entry)
        continue
      }
      cut(entry.range, from: &settled)
      settled.append(Entry(range: entry.range, type: entry.type, delivery: nil))
    }
    return settled
  }

  private static func cut(_ range: Range<Int64>, from entries: inout [Entry]) {
    entries = entries.flatMap { entry in
      outside(of: range, entry.range).map {
        Entry(range: $0, type: entry.type, delivery: entry.delivery)
      }
    }
  }

  /// The state of a range by the entries: `F_UNLCK` where there is none.
  private static func states(
    in range: Range<Int64>, _ entries: [Entry]
  ) -> [(range: Range<Int64>, type: Int32)] {
    var states = [(range: range, type: Int32(F_UNLCK))]
    for entry in entries {
      let covered = entry.range.clamped(to: range)
      guard !covered.isEmpty else { continue }
      states = states.flatMap { state in
        outside(of: covered, state.range).map { (range: $0, type: state.type) }
      }
      states.append((range: covered, type: entry.type))
    }
    return states
  }

  /// The parts of `whole` before and after a range.
  private static func outside(of range: Range<Int64>, _ whole: Range<Int64>) -> [Range<Int64>] {
    guard whole.overlaps(range) else { return [whole] }
    let before = whole.lowerBound..<max(whole.lowerBound, range.lowerBound)
    let after = min(whole.upperBound, range.upperBound)..<whole.upperBound
    return [before, after].filter { !$0.isEmpty }
  }

  // MARK: - The kernel

  /// - Returns: False if another open file holds a lock.
  private static func tryToApply(
    _ type: Int32, _ range: Range<Int64>, to descriptor: FileDescriptor, path: FilePath
  ) throws(FileError) -> Bool {
    do throws(FileError) {
      try apply(type, range, to: descriptor, path: path)
      return true
    } catch {
      guard error.isLockHeldElsewhere else { throw error }
      return false
    }
  }

  private static func apply(
    _ type: Int32, _ range: Range<Int64>, waits: Bool = false, to descriptor: FileDescriptor,
    path: FilePath
  ) throws(FileError) {
    // 0 extends to the end, however large the file grows.
    let byteCount = range.upperBound == .max ? 0 : range.upperBound - range.lowerBound
    try FileSystemCalls.lock(
      descriptor, path: path, type: type, waits: waits, offset: range.lowerBound,
      byteCount: byteCount)
  }
}

extension FileError {
  /// Whether a lock was refused because another open file holds one. POSIX allows both errors.
  var isLockHeldElsewhere: Bool {
    [.resourceTemporarilyUnavailable, .permissionDenied].contains(errno)
  }
}
