import CFaults
import CPosixAIO
import Glibc
import SystemPackage
import TestSupport
import XCTest

@testable import PosixAIO

/// libc as a script: takes operations, and ends each of them when the test says so, on the test's
/// thread. No helper thread runs, so what happens first is the test's choice alone.
///
/// As in glibc, the operations of one descriptor come one after the other, and one that runs cannot
/// be cancelled.
final class ScriptedSystem: AIOSystem, @unchecked Sendable {
  /// How an operation ends.
  enum Outcome {
    /// As the kernel has it.
    case real
    /// After so many bytes.
    case short(Int)
    /// With this error, and nothing done.
    case failure(Errno)
    /// It says that it has moved so many bytes, and moves none.
    case claimed(Int)
  }

  /// Whether operations end as soon as they are submitted.
  var endsAtOnce: Bool
  var losesSignals = false
  /// Is called when a cancellation begins.
  var beforeCancel: () -> Void = {}
  /// How many descriptors have an operation running; the others' wait.
  var helperCount = Int.max
  var outcome: (Operation) -> Outcome = { _ in .real }
  /// Why an operation is not taken, or nil.
  var refusal: (Operation) -> Errno? = { _ in nil }
  /// What the page cache says, or nil for the truth. The test sets `errno` for -1.
  var cachedCount: ((_ byteCount: Int) -> Int)?

  /// The submitted operations that have not ended, in order.
  private(set) var held: [Operation] = []
  /// All submitted operations.
  private(set) var submitted: [Operation] = []
  /// The most that was ever held, sync markers aside: of all, and of one descriptor's file.
  private(set) var mostHeldCount = 0
  /// Cancellations of an operation that others stand behind, which can make glibc forget those.
  private(set) var riskyCancelCount = 0
  private(set) var sentSignalCount = 0

  private enum State {
    case held, refused
    case ended(error: Int32, result: Int)
  }
  private var states: [UInt: State] = [:]
  private var groups: [UInt64: (unendedCount: Int, signal: Int32)] = [:]

  init(endsAtOnce: Bool = false) {
    self.endsAtOnce = endsAtOnce
  }

  // MARK: What the queue calls

  override func submitGroup(
    _ controls: [Control?], signal: Int32, value groupID: UInt64
  ) throws(Errno) {
    var taken: [Operation] = []
    var reason: Errno?
    for index in unsafe controls.indices {
      guard let control = unsafe controls[index] else { continue }
      let kind: Operation.Kind =
        unsafe control.pointee.aio_lio_opcode == Int32(LIO_WRITE) ? .write : .read
      let operation = unsafe Operation(kind, control, groupID)
      if let refused = refusal(operation) {
        states[operation.key] = .refused
        reason = refused
      } else {
        taken.append(operation)
      }
    }
    if !taken.isEmpty { groups[groupID] = (taken.count, signal) }
    taken.forEach(take)
    if let reason { throw reason }
  }

  override func submitSync(_ control: Control, dataOnly: Bool) throws(Errno) {
    let operation = unsafe Operation(dataOnly ? .dataSync : .sync, control, nil)
    if let reason = refusal(operation) { throw reason }
    take(operation)
  }

  override func wasAccepted(_ control: Control) -> Bool {
    switch states[unsafe Operation.key(control)] {
    case .held, .ended: true
    case .refused, nil: false
    }
  }

  override func error(of control: Control) -> Int32 {
    guard case .ended(let error, _) = states[unsafe Operation.key(control)] else {
      return EINPROGRESS
    }
    return error
  }

  override func result(of control: Control) -> Int {
    guard case .ended(_, let result) = states[unsafe Operation.key(control)] else { return -1 }
    return result
  }

  override func cancel(_ fileDescriptor: Int32, _ control: Control?) throws(Errno) -> Int32 {
    beforeCancel()
    let key = unsafe control.map { unsafe Operation.key($0) }
    let line = held.filter { $0.descriptor == fileDescriptor }
    let meant = line.filter { key == nil || $0.key == key }
    guard !meant.isEmpty else { return Int32(AIO_ALLDONE) }
    if let key, line.last?.key != key { riskyCancelCount += 1 }
    for operation in meant where !operation.isRunning {
      end(operation, ECANCELED, -1)
    }
    return Int32(meant.contains { $0.isRunning } ? AIO_NOTCANCELED : AIO_CANCELED)
  }

  override func readCached(
    _ fileDescriptor: Int32, _ memory: UnsafeMutableRawPointer?, _ byteCount: Int, _ offset: Int64
  ) -> Int {
    if let cachedCount {
      let count = cachedCount(byteCount)
      guard count > 0 else { return count }
      return unsafe pread(fileDescriptor, memory, min(count, byteCount), Int(offset))
    }
    return unsafe super.readCached(fileDescriptor, memory, byteCount, offset)
  }

  // MARK: What the test calls

  /// Ends a held operation that runs, the first that fits.
  ///
  /// - Returns: Whether there was one.
  @discardableResult
  func endFirst(where fits: (Operation) -> Bool = { _ in true }) -> Bool {
    guard let operation = held.first(where: { $0.isRunning && fits($0) }) else { return false }
    run(operation)
    return true
  }

  /// Ends the running operation at this place among those that run, modulo their number.
  func endRunning(at index: Int) {
    let running = held.filter(\.isRunning)
    guard !running.isEmpty else { return }
    run(running[index % running.count])
  }

  func endAll() {
    while endFirst() {}
  }

  /// Drains the queue and ends what it hands over, until it has nothing unfinished and libc nothing
  /// of it.
  func runUntilIdle(_ queue: CompletionQueue) throws {
    try queue.run {
      endAll()
      return queue.unfinishedCount == 0 && queue.hot.inFlight.isEmpty
    }
  }

  // MARK: -

  private func take(_ operation: Operation) {
    states[operation.key] = .held
    submitted.append(operation)
    held.append(operation)
    mostHeldCount = max(mostHeldCount, held.count { !$0.isSyncMarker })
    startWaiting()
    if endsAtOnce { endAll() }
  }

  /// Gives helpers to descriptors that have none, in the order of their first operations.
  private func startWaiting() {
    var busy = Set(held.filter(\.isRunning).map(\.descriptor))
    for index in held.indices where busy.count < helperCount {
      if busy.insert(held[index].descriptor).inserted { held[index].isRunning = true }
    }
  }

  private func run(_ operation: Operation) {
    switch outcome(operation) {
    case .real:
      let result = operation.perform(operation.byteCount)
      end(operation, result < 0 ? errno : 0, result)
    case .short(let byteCount):
      let count = min(byteCount, operation.byteCount)
      end(operation, 0, count == 0 ? 0 : operation.perform(count))
    case .claimed(let byteCount):
      end(operation, 0, byteCount)
    case .failure(let reason):
      end(operation, reason.rawValue, -1)
    }
  }

  private func end(_ operation: Operation, _ error: Int32, _ result: Int) {
    held.removeAll { $0.key == operation.key }
    states[operation.key] = .ended(error: error, result: result)
    startWaiting()
    guard let groupID = operation.groupID, let group = groups[groupID] else { return }
    groups[groupID]?.unendedCount -= 1
    guard group.unendedCount == 1 else { return }
    groups[groupID] = nil
    guard !losesSignals else { return }
    sentSignalCount += 1
    // To this thread, or the test would depend on when another one runs the handler.
    XCTAssertEqual(cfaults_announce(group.signal, groupID), 0)
  }
}
