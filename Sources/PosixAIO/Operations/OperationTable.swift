internal import Glibc
internal import Synchronization
internal import SystemPackage

/// The operations of this process that glibc holds.
///
/// glibc keeps one table of requests for the whole process, whichever thread submitted them, and
/// what it does to one depends on the others of the same descriptor number. So this table is the
/// process's too. It keeps operations alive that were dropped in flight, and knows when a
/// cancellation or a sync would run into one of glibc's traps.
enum OperationTable {
  @safe
  private struct State {
    var first: Unmanaged<ControlBlock>?
    var abandonedCount = 0
    var hasWarned = false
  }

  private static let state = Mutex(State())

  /// Adds an operation that is about to be submitted.
  static func insert(_ block: ControlBlock) {
    state.withLock { state in
      reapAbandoned(&state)
      link(block, &state)
    }
  }

  /// Removes an operation that has ended, or that glibc refused.
  static func remove(_ block: ControlBlock) {
    state.withLock { state in
      unlink(block, &state)
    }
  }

  /// Keeps a block alive until glibc is done with it.
  ///
  /// - Parameter losesResult: Whether the operation's result is lost.
  /// - Returns: Whether to report the loss: true for the first one of the process.
  static func abandon(_ block: ControlBlock, losesResult: Bool) -> Bool {
    state.withLock { state in
      reapAbandoned(&state)
      if !block.entry.isListed { link(block, &state) }
      block.entry.isAbandoned = true
      state.abandonedCount += 1
      // Released by reapAbandoned.
      _ = unsafe Unmanaged.passRetained(block)
      guard losesResult, !state.hasWarned else { return false }
      state.hasWarned = true
      return true
    }
  }

  /// Frees the abandoned blocks that glibc is done with.
  ///
  /// - Returns: The number of the others.
  static func reapAbandoned() -> Int {
    state.withLock { state in
      reapAbandoned(&state)
      return state.abandonedCount
    }
  }

  /// Runs a submission. It cannot come between the two steps of ``cancel(_:)``.
  static func submit(_ body: () throws(Errno) -> Void) throws(Errno) {
    try state.withLock { _ throws(Errno) in try body() }
  }

  /// Cancels an operation, unless others may be queued behind it.
  static func cancel(_ block: ControlBlock) throws(Errno) -> AIOCancelStatus {
    try state.withLock { state throws(Errno) in
      guard !hasFollower(block, state) else { return .notCanceled }
      return AIOCancelStatus(
        rawValue: try unsafe AIOSystem.live.cancel(block.fileDescriptor, block.control))
    }
  }

  /// Whether an operation may be queued behind this one on its descriptor. That is one that was
  /// submitted later, since glibc never puts an operation, however urgent, before the first of a
  /// queue; or one that was submitted earlier and is less urgent; or its own sync marker.
  private static func hasFollower(_ block: ControlBlock, _ state: State) -> Bool {
    guard !block.isSyncMarkerBusy else { return true }
    // The table's list begins with the operation that was submitted last.
    var isLater = true
    return contains(state) { other in
      guard other !== block else {
        isLater = false
        return false
      }
      let isBehind = isLater || other.priority > block.priority
      return isBehind && other.fileDescriptor == block.fileDescriptor && other.isBusy
    }
  }

  /// Whether glibc holds a write to this descriptor that a sync would overtake.
  static func hasWriteThatSyncOvertakes(_ fileDescriptor: Int32) -> Bool {
    state.withLock { state in
      contains(state) { other in
        other.isWrite && other.fileDescriptor == fileDescriptor && other.priority > 0
          && other.isBusy
      }
    }
  }

  /// Whether glibc holds any operation on this descriptor number.
  static func holdsOperation(on fileDescriptor: Int32) -> Bool {
    state.withLock { state in
      contains(state) { $0.fileDescriptor == fileDescriptor && $0.isBusy }
    }
  }

  private static func contains(
    _ state: State, _ condition: (ControlBlock) -> Bool
  ) -> Bool {
    var next = unsafe state.first
    while let reference = unsafe next {
      let block = unsafe reference.takeUnretainedValue()
      if condition(block) { return true }
      unsafe next = block.entry.next
    }
    return false
  }

  private static func reapAbandoned(_ state: inout State) {
    guard state.abandonedCount > 0 else { return }
    var next = unsafe state.first
    while let reference = unsafe next {
      let block = unsafe reference.takeUnretainedValue()
      unsafe next = block.entry.next
      if block.entry.isAbandoned, !block.isBusy {
        unlink(block, &state)
        state.abandonedCount -= 1
        unsafe reference.release()
      }
    }
  }

  private static func link(_ block: ControlBlock, _ state: inout State) {
    // A listed block is alive: its operation holds it, or `abandon` retained it.
    let reference = unsafe Unmanaged.passUnretained(block)
    unsafe block.entry.next = state.first
    unsafe block.entry.previous = nil
    block.entry.isListed = true
    unsafe state.first?.takeUnretainedValue().entry.previous = reference
    unsafe state.first = reference
  }

  private static func unlink(_ block: ControlBlock, _ state: inout State) {
    guard block.entry.isListed else { return }
    block.entry.isListed = false
    let (next, previous) = unsafe (block.entry.next, block.entry.previous)
    unsafe next?.takeUnretainedValue().entry.previous = previous
    if let previous = unsafe previous {
      unsafe previous.takeUnretainedValue().entry.next = next
    } else {
      unsafe state.first = next
    }
  }
}
