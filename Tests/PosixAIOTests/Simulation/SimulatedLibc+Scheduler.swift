import CFaults
import Glibc
import TestSupport

@testable import PosixAIO

/// What goes wrong in a simulation, in how many of a hundred cases.
struct SimulatedFaults {
  enum Cache: CaseIterable {
    case cold, warm, mixed
  }

  var short = 0
  var failure = 0
  var refusal = 0
  var lostSignal = 0
  /// Signals that come twice, or from somebody else.
  var foreignSignal = 0
  /// Signals that land where they are not blocked.
  var straySignal = 0
  var cache = Cache.mixed
  var helperCount = 4

  /// Whether each operation's end is announced.
  var announcesAll: Bool { lostSignal == 0 && refusal == 0 }

  /// Each fault is absent from half of the simulations, so that none hides behind another.
  init(_ random: inout SeededGenerator) {
    short = random.oneIn(2) ? 0 : 25
    failure = random.oneIn(2) ? 0 : 4
    refusal = random.oneIn(2) ? 0 : 10
    lostSignal = random.oneIn(2) ? 0 : 20
    foreignSignal = random.oneIn(2) ? 0 : 10
    straySignal = random.oneIn(2) ? 0 : 30
    cache = Cache.allCases.randomElement(using: &random) ?? .mixed
    helperCount = Int.random(in: 1...6, using: &random)
  }
}

extension SeededGenerator {
  /// True in so many of a hundred cases.
  mutating func percent(_ share: Int) -> Bool { Int.random(in: 0..<100, using: &self) < share }
}

/// The helper threads, and the way of the signals.
extension SimulatedLibc {
  /// Whether something is left to happen by itself.
  var isBusy: Bool { !held.isEmpty || !signals.isEmpty }

  /// Lets one thing happen.
  func step() {
    startSome()
    let running = held.filter(\.isRunning)
    if !signals.isEmpty, running.isEmpty || random.oneIn(2) {
      announce(signals.remove(at: Int.random(in: signals.indices, using: &random)))
    } else if let operation = running.randomElement(using: &random) {
      run(operation)
    }
    startSome()
  }

  /// Notes a submission, and checks that nothing else uses its memory.
  func note(submissionOf operation: SimulatedOperation) {
    journal.note("submitted: \(operation)")
    journal.check(9, !startsNothing || operation.isSyncMarker, "\(operation) starts after the end")
    if case .held? = states[operation.key] {
      journal.violated(1, "a control block is submitted while libc has it")
    }
    journal.check(1, !isHeld(operation.memory), "two operations have the same memory")
    var owners = operation.requests.map { requests[$0] }
    if operation.kind == .read, let owner = request(at: operation.memory.lowerBound) {
      owners.append(owner)
    }
    for request in owners where !operation.isSyncMarker {
      request.wasHandedOver = true
      journal.check(9, !request.mustNotStart, "\(request) starts after it was cancelled")
      if request.expectedAnswer == .canceled {
        journal.violated(9, "\(request) starts after it was said to be cancelled")
      }
    }
  }

  func take(_ operation: SimulatedOperation) {
    states[operation.key] = .held
    held.append(operation)
    let counted = held.filter { !$0.isSyncMarker }
    journal.check(
      8, counted.count <= configuration.inFlightLimit, "\(counted.count) are in flight")
    let ofFile = counted.count { $0.disk === operation.disk }
    journal.check(8, ofFile <= configuration.inFlightLimitPerFile, "\(ofFile) of a file")
  }

  /// Whether libc may touch any of this memory.
  func isHeld(_ memory: Range<UInt>) -> Bool {
    !memory.isEmpty && held.contains { $0.memory.overlaps(memory) }
  }

  /// The read whose buffer is at this address.
  func request(at address: UInt) -> SimulatedRequest? {
    requests.last { $0.memory.contains(address) && $0.kind == .read }
  }

  /// Whether libc has a request, by itself or as a part of another: where that cannot be told, yes.
  func mayHold(_ request: SimulatedRequest) -> Bool {
    let mayBePart = configuration.mergesWrites || request.file.disk.kind == .appending
    return held.contains { operation in
      guard operation.disk === request.file.disk, !operation.isSyncMarker else { return false }
      switch request.kind {
      case .read: return operation.memory.overlaps(request.memory)
      case .write where operation.kind == .write:
        return mayBePart && request.wasHandedOver || operation.places.overlaps(request.places)
      case .write: return false
      case .sync, .dataSync: return operation.isSync
      }
    }
  }

  /// What has ended and was not noticed since this time.
  func unseenCount(since limit: UInt64) -> Int {
    states.values.count { state in
      if case .ended(_, _, let at) = state { at < limit } else { false }
    }
  }

  func end(_ operation: SimulatedOperation, _ error: Int32, _ result: Int) {
    held.removeAll { $0 === operation }
    states[operation.key] = .ended(error: error, result: result, at: time)
    guard let groupID = operation.groupID, let unended = groups[groupID] else { return }
    groups[groupID] = unended == 1 ? nil : unended - 1
    guard unended == 1 else { return }
    oldGroupIDs.append(groupID)
    if random.percent(faults.lostSignal) {
      journal.note("lost: the signal of group \(groupID)")
    } else {
      signals.append((signalNumber, groupID))
    }
    if random.percent(faults.foreignSignal) {
      let foreign = random.oneIn(2) ? oldGroupIDs.randomElement(using: &random) : random.next()
      signals.append((signalNumber, foreign ?? 0))
    }
  }

  // MARK: -

  /// Gives helpers to descriptors that have none.
  private func startSome() {
    var busy = Set(held.filter(\.isRunning).map(\.descriptor))
    for operation in held where busy.count < faults.helperCount {
      guard busy.insert(operation.descriptor).inserted else { continue }
      journal.note("runs: \(operation)")
      operation.begin()
    }
  }

  private func run(_ operation: SimulatedOperation) {
    var error: Int32 = 0
    if random.percent(faults.failure), !operation.isSyncMarker {
      error = [EIO, ENOSPC, EDQUOT].randomElement(using: &random) ?? EIO
    }
    journal.note("ends with \(error): \(operation)")
    journal.check(
      1, disk(of: operation.descriptor) === operation.disk,
      "the descriptor was closed under libc: \(operation)")
    switch operation.kind {
    case .read: read(operation, error)
    case .write: write(operation, error)
    case .sync, .dataSync:
      if let writeBack = operation.writeBack { operation.disk.endSync(writeBack, error: error) }
      if error != 0 { operation.disk.failures.insert(error) }
      end(operation, error, error == 0 ? 0 : -1)
    }
  }

  private func read(_ operation: SimulatedOperation, _ error: Int32) {
    let owner = operation.isSyncMarker ? nil : request(at: operation.memory.lowerBound)
    guard error == 0 else {
      owner?.kernelError = error
      return end(operation, error, -1)
    }
    let bytes = operation.disk.read(moved(operation), at: operation.offset)
    operation.fill(bytes)
    owner?.kernelBytes += bytes
    owner?.isShortInCache = false
    end(operation, 0, bytes.count)
  }

  private func write(_ operation: SimulatedOperation, _ error: Int32) {
    journal.check(
      1, operation.presentBytes == operation.bytes,
      "the memory of a write has changed under libc: \(operation)")
    let count = error == 0 ? moved(operation) : 0
    operation.disk.write(operation.bytes.prefix(count), at: operation.offset)
    // A write that moves nothing and gives no reason counts as an IO error.
    let reason = count == 0 && error == 0 ? EIO : error
    if reason != 0 { operation.disk.failures.insert(reason) }
    for number in operation.requests {
      if reason != 0 { requests[number].kernelError = reason }
      if count > 0 { requests[number].lastChange = operation.disk.changeCount }
    }
    end(operation, error, error == 0 ? count : -1)
  }

  private func moved(_ operation: SimulatedOperation) -> Int {
    guard operation.byteCount > 0, random.percent(faults.short) else { return operation.byteCount }
    // Nothing at all only now and then.
    let least = random.oneIn(20) ? 0 : 1
    return Int.random(in: least...operation.byteCount, using: &random)
  }

  private func announce(_ signal: (number: Int32, groupID: UInt64)) {
    let isStray = random.percent(faults.straySignal)
    journal.note("signal of group \(signal.groupID)\(isStray ? ", to a stranger" : "")")
    var set = sigset_t()
    unsafe sigemptyset(&set)
    unsafe sigaddset(&set, signal.number)
    // Where it is not blocked the handler runs at once.
    if isStray { unsafe pthread_sigmask(SIG_UNBLOCK, &set, nil) }
    let result = cfaults_announce(signal.number, signal.groupID)
    if isStray { unsafe pthread_sigmask(SIG_BLOCK, &set, nil) }
    precondition(result == 0, "SimulatedLibc: rt_tgsigqueueinfo(2) takes the signal")
  }
}
