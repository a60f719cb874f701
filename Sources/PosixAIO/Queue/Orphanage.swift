internal import CPosixAIO
internal import Glibc
internal import Synchronization
internal import SystemPackage

/// Operations that glibc still holds of queues that have ended: a read of an empty pipe, a write to
/// a server that does not respond.
///
/// Their memory and their descriptors stay as they are until glibc lets go. Nobody waits for that:
/// the process looks whenever a queue is made or ends.
enum Orphanage {
  private static let orphans = Mutex<[Orphan]>([])

  /// How many operations are left of all queues.
  static var operationCount: Int {
    orphans.withLock { orphans in orphans.reduce(0) { $0 + $1.operations.count } }
  }

  static func take(_ orphan: Orphan) {
    orphans.withLock { $0.append(orphan) }
  }

  /// Frees what belongs to operations that have ended.
  static func sweep() {
    // A child of fork(2) has no helper threads: nothing ends there.
    guard !caio_is_forked_child() else { return }
    var ended: [Orphan] = []
    let endedOperations = orphans.withLock { orphans in
      let operations = orphans.flatMap { $0.takeEnded() }
      ended = orphans.filter { $0.operations.isEmpty }
      orphans.removeAll { $0.operations.isEmpty }
      return operations
    }
    // Outside of the lock, since close(2) may block.
    for operation in endedOperations { operation.free() }
    for orphan in ended { CompletionSignal.lastOrphanEnded(ofSignal: orphan.signal) }
  }
}

/// What glibc still holds of one queue.
///
/// Sendable, because it is changed under the lock of the ``Orphanage`` alone, and the thread of its
/// queue does not touch it any more.
@safe
final class Orphan: @unchecked Sendable {
  /// One operation, with all that must stay alive for it.
  @safe
  struct Operation: @unchecked Sendable {
    fileprivate let control: AIOSystem.Control
    private let memory: UnsafeMutableRawBufferPointer?
    private let mergedMemory: UnsafeMutableRawPointer?
    private let descriptors: OrphanedDescriptors

    /// Takes the memory out of a request in flight.
    init(_ request: RequestRef, _ descriptors: OrphanedDescriptors) {
      unsafe control = request.control
      unsafe memory = request.pointee.memory.take()
      unsafe mergedMemory = request.pointee.mergedMemory.take()
      self.descriptors = descriptors
    }

    fileprivate func free() {
      if let memory = unsafe memory { _ = unsafe IOBuffer(adopting: memory, count: 0) }
      if let mergedMemory = unsafe mergedMemory { unsafe mergedMemory.deallocate() }
    }
  }

  let signal: Int32
  private(set) var operations: [Operation]
  private let system: AIOSystem
  /// Has the control blocks.
  private let pool: RequestPool

  init(_ operations: [Operation], _ pool: RequestPool, _ system: AIOSystem, signal: Int32) {
    self.operations = operations
    self.pool = pool
    self.system = system
    self.signal = signal
  }

  fileprivate func takeEnded() -> [Operation] {
    var ended: [Operation] = []
    operations.removeAll { operation in
      guard unsafe system.error(of: operation.control) != EINPROGRESS else { return false }
      _ = unsafe system.result(of: operation.control)
      ended.append(operation)
      return true
    }
    return ended
  }
}

/// The descriptors of a file of which glibc still holds operations. They are closed with the last
/// of those; the first one later if a call on another thread, or the file itself, still has it.
final class OrphanedDescriptors: Sendable {
  private let first: SharedDescriptor?
  private let duplicates: [Int32]
  private let use: SharedDescriptor.Use?

  init(_ first: SharedDescriptor?, _ use: SharedDescriptor.Use?, duplicates: [Int32]) {
    self.first = first
    self.use = use
    self.duplicates = duplicates
  }

  deinit {
    // The file's own close was the last that could have told an error.
    for duplicate in duplicates { Glibc.close(duplicate) }
  }
}
