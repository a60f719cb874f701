import CFaults
import CPosixAIO
import Glibc
import SystemPackage
import TestSupport

@testable import PosixAIO

/// libc with a clock, a disk and a scheduler of its own, all moved by a seed.
///
/// As in glibc, the operations of one descriptor run one after the other, what runs cannot be
/// cancelled, and a signal comes when the last of its group has ended: then, later or never.
final class SimulatedLibc: AIOSystem, @unchecked Sendable {
  enum State {
    case held, refused
    case ended(error: Int32, result: Int, at: UInt64)
  }

  let journal: SimulationJournal
  let faults: SimulatedFaults
  var random: SeededGenerator
  /// The queue's clock, in nanoseconds.
  var time: UInt64 = 1_000_000 { didSet { journal.time = time / 1000 } }
  /// When the queue's timer runs out, or ran out and was not read since.
  var timerDueAt: UInt64?
  /// The disks by their files' inodes.
  var disks: [UInt: SimulatedDisk] = [:]
  /// The requests by their numbers.
  var requests: [SimulatedRequest] = []

  /// What libc has, in the order of submission.
  var held: [SimulatedOperation] = []
  var states: [UInt: State] = [:]
  /// Operations of each group that have not ended.
  var groups: [UInt64: Int] = [:]
  var signals: [(number: Int32, groupID: UInt64)] = []
  /// Group IDs that were used before, for signals that come twice.
  var oldGroupIDs: [UInt64] = []
  var signalNumber: Int32 = 0
  /// Whether the queue has ended, and hands nothing over any more.
  var startsNothing = false
  /// Whether somebody waits for libc, and time passes whenever he looks at the clock.
  var isWaitedFor = false
  let configuration: CompletionQueue.Configuration

  init(
    _ random: SeededGenerator, _ faults: SimulatedFaults,
    _ configuration: CompletionQueue.Configuration, _ journal: SimulationJournal
  ) {
    self.random = random
    self.faults = faults
    self.configuration = configuration
    self.journal = journal
  }

  // MARK: What the queue calls

  override func now() -> UInt64 {
    if isWaitedFor {
      time += UInt64.random(in: 50_000...200_000, using: &random)
      step()
    }
    return time
  }

  override func setTimer(_ descriptor: Int32, at time: UInt64) {
    timerDueAt = time
  }

  override func clearTimer(_ descriptor: Int32) {
    journal.check(9, isTimerDue, "the timer is read, and has not run out")
    timerDueAt = nil
  }

  /// Whether the timer's descriptor is readable.
  var isTimerDue: Bool { timerDueAt.map { $0 <= time } ?? false }

  override func readableSources(_ epoll: Int32) -> QueueSources {
    // Signals and the pipe are real; the real timer was never set.
    isTimerDue ? super.readableSources(epoll).union(.timer) : super.readableSources(epoll)
  }

  override func submitGroup(
    _ controls: [Control?], signal: Int32, value groupID: UInt64
  ) throws(Errno) {
    signalNumber = signal
    var operations: [SimulatedOperation] = []
    for index in unsafe controls.indices {
      guard let control = unsafe controls[index] else { continue }
      let isWrite = unsafe control.pointee.aio_lio_opcode == Int32(LIO_WRITE)
      unsafe operations.append(operation(isWrite ? .write : .read, control, groupID))
    }
    var refusal: Refusal?
    if random.percent(faults.refusal) { refusal = Refusal.allCases.randomElement(using: &random) }
    var taken: [SimulatedOperation] = []
    for operation in operations {
      let isRefused = refusal == .all || (refusal == .some && random.oneIn(2))
      guard isRefused else {
        taken.append(operation)
        continue
      }
      states[operation.key] = .refused
      operation.disk.refusalCount += 1
      journal.note("refused: \(operation)")
    }
    if !taken.isEmpty { groups[groupID] = taken.count }
    if refusal == .announcement { groups[groupID] = nil }
    taken.forEach(take)
    guard refusal == nil else { throw .resourceTemporarilyUnavailable }
  }

  override func submitSync(_ control: Control, dataOnly: Bool) throws(Errno) {
    let sync = unsafe operation(dataOnly ? .dataSync : .sync, control, nil)
    journal.check(
      7, !held.contains { $0.disk === sync.disk && $0.isSync }, "two syncs of a file at a time")
    if random.percent(faults.refusal) {
      journal.note("refused: \(sync)")
      sync.disk.refusalCount += 1
      throw .resourceTemporarilyUnavailable
    }
    take(sync)
  }

  override func wasAccepted(_ control: Control) -> Bool {
    switch states[UInt(bitPattern: control)] {
    case .held, .ended: true
    case .refused, nil: false
    }
  }

  override func error(of control: Control) -> Int32 {
    guard case .ended(let error, _, _) = states[UInt(bitPattern: control)] else {
      return EINPROGRESS
    }
    return error
  }

  override func result(of control: Control) -> Int {
    let key = UInt(bitPattern: control)
    guard case .ended(_, let result, _) = states[key] else {
      journal.violated(2, "aio_return for an operation that has not ended, or twice")
      return -1
    }
    states[key] = nil
    return result
  }

  override func cancel(_ fileDescriptor: Int32, _ control: Control?) throws(Errno) -> Int32 {
    let key = unsafe control.map { UInt(bitPattern: $0) }
    let line = held.filter { $0.descriptor == fileDescriptor }
    let meant = line.filter { key == nil || $0.key == key }
    guard !meant.isEmpty else { return Int32(AIO_ALLDONE) }
    journal.check(
      9, key == nil || line.last?.key == key,
      "a cancellation in front of others, after which glibc forgets those")
    for operation in meant where !operation.isRunning {
      journal.note("cancelled: \(operation)")
      end(operation, ECANCELED, -1)
    }
    return Int32(meant.contains { $0.isRunning } ? AIO_NOTCANCELED : AIO_CANCELED)
  }

  override func mayBeCached(_ fileDescriptor: Int32, _ byteCount: Int, _ offset: Int64) -> Bool {
    true
  }

  override func readCached(
    _ fileDescriptor: Int32, _ memory: UnsafeMutableRawPointer?, _ byteCount: Int, _ offset: Int64
  ) -> Int {
    guard let memory = unsafe memory, let disk = disk(of: fileDescriptor) else { return 0 }
    let bytes = disk.read(byteCount, at: Int(offset))
    let count: Int
    switch faults.cache {
    case .cold: count = -1
    case .warm: count = bytes.count
    case .mixed:
      // Kernels have been known to say "end of file" where there was none.
      count = [-1, 0, bytes.count / 2, bytes.count].randomElement(using: &random) ?? -1
    }
    guard count >= 0 else {
      errno = random.oneIn(20) ? EOPNOTSUPP : EAGAIN
      return -1
    }
    unsafe memory.copyMemory(from: Array(bytes.prefix(count)), byteCount: count)
    if let owner = request(at: UInt(bitPattern: memory)) {
      owner.kernelBytes += bytes.prefix(count)
      owner.isShortInCache = count < byteCount && Int(offset) + count < disk.pages.count
    }
    return count
  }

  // MARK: -

  /// How a submission is refused.
  private enum Refusal: CaseIterable {
    case all, some
    /// Everything runs, but its end is not announced.
    case announcement
  }

  private func operation(
    _ kind: SimulatedOperation.Kind, _ control: Control, _ groupID: UInt64?
  ) -> SimulatedOperation {
    let descriptor = unsafe control.pointee.aio_fildes
    guard let disk = disk(of: descriptor) else {
      preconditionFailure("SimulatedLibc: an operation on a descriptor that is closed")
    }
    let operation = unsafe SimulatedOperation(kind, control, disk, groupID)
    note(submissionOf: operation)
    return operation
  }

  /// The disk of an open descriptor.
  func disk(of descriptor: Int32) -> SimulatedDisk? {
    var status = stat()
    guard unsafe fstat(descriptor, &status) == 0 else { return nil }
    return disks[status.st_ino]
  }
}
