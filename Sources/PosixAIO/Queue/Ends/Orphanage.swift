internal import CPosixAIO
internal import Glibc
internal import Synchronization
internal import SystemPackage

/// Operations that glibc still holds of queues that have ended, such as a read from an empty pipe
/// or a write to a server that does not respond.
///
/// Their memory and their descriptors stay valid until glibc is done. No thread waits for that: the
/// process checks whenever a queue is made or ends.
package enum Orphanage {
  private static let orphans = Mutex<[Orphan]>([])

  /// The number of operations left behind by all queues.
  package static var operationCount: Int {
    orphans.withLock { orphans in orphans.reduce(0) { $0 + $1.operations.count } }
  }

  static func take(_ orphan: Orphan) {
    orphans.withLock { $0.append(orphan) }
  }

  /// Frees the operations that have ended.
  package static func sweep() {
    // A child of fork(2) has no helper threads, so nothing ends there.
    guard !caio_is_forked_child() else { return }
    var ended: [Orphan] = []
    let endedOperations = orphans.withLock { orphans in
      let operations = orphans.flatMap { $0.takeEnded() }
      ended = orphans.filter { $0.operations.isEmpty }
      orphans.removeAll { $0.operations.isEmpty }
      return operations
    }
    // Outside the lock, since close(2) may block.
    for operation in endedOperations { operation.free() }
    for orphan in ended { CompletionSignal.lastOrphanEnded(ofSignal: orphan.signal) }
  }
}

/// The operations that glibc still holds of one queue.
///
/// Sendable: it is changed under the lock of the ``Orphanage`` only, and the queue's thread does
/// not use it any more.
@safe
final class Orphan: @unchecked Sendable {
  /// One operation, and everything that must stay alive for it.
  @safe
  struct Operation: @unchecked Sendable {
    fileprivate let control: AIOSystem.Control
    private let memory: IOBuffer.Memory?
    private let mergedMemory: UnsafeMutableRawPointer?
    private let descriptors: OrphanedDescriptors

    /// Moves the memory out of a request in flight.
    init(_ request: RequestRef, _ descriptors: OrphanedDescriptors) {
      unsafe control = request.control
      memory = request.pointee.memory.take()
      unsafe mergedMemory = request.pointee.mergedMemory.take()
      self.descriptors = descriptors
    }

    fileprivate func free() {
      if let memory { _ = IOBuffer(memory, count: 0) }
      if let mergedMemory = unsafe mergedMemory { unsafe mergedMemory.deallocate() }
    }
  }

  let signal: Int32
  private(set) var operations: [Operation]
  private let system: AIOSystem
  /// Holds the control blocks.
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

/// The descriptors of a file with operations that glibc still holds. They are closed after the last
/// of those. The first descriptor is closed later if a call on another thread, or the file itself,
/// still uses it.
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
    // An error has no receiver any more: the close of the file has completed.
    for duplicate in duplicates { Glibc.close(duplicate) }
  }
}
