import PosixAIO
import Reactor
import SystemPackage

/// Starts the operations in their order, as many as may be unfinished at a time, and holds what
/// becomes of each against what may.
///
/// An operation waits, and those behind it, while its block is in use: a write has its block alone.
/// Only reads may join others, and then may see a mixture of what stood there and what is being
/// written. A block whose write was abandoned belongs to the kernel until a sync that was asked for
/// after that is done.
final class Load {
  /// How the load goes on.
  private enum Phase {
    case running
    /// Nothing new is started.
    case draining
  }

  /// How many of the operations had which end.
  struct Counts {
    var started = 0
    var completed = 0
    var canceled = 0
    var timedOut = 0
    var readByteCount = 0
    var writtenByteCount = 0
    /// Waits of an operation for its block, or for room in the queue.
    var waited = 0
  }

  private(set) var counts = Counts()
  private(set) var reads = Latencies()
  private(set) var writes = Latencies()
  private(set) var syncs = Latencies()

  private let file: StressFile
  private let queue: CompletionQueue
  private let findings: Findings
  private let depth: Int
  private let operationLimit: Int
  private var sequence: OperationSequence
  private var blocks: [BlockState]
  private var phase = Phase.running
  /// Drawn, and not started yet.
  private var held: Operation?
  private var requests: [Request] = []
  private var idle: [Request] = []
  private var laterCancels: [Int: [(request: Request, id: RequestID, abandoning: Bool)]] = [:]
  /// Whether one of the calls of the queue is on the stack, from inside which no handler is called.
  private var isInsideCall = false
  /// With the number of the write that was abandoned.
  private var unseenBlocks: [(block: Int, number: Int)] = []
  /// Since when a sync is under way that the sequence did not ask for.
  private var settlingSince: SuspendingClock.Instant?

  /// - Parameter operationLimit: The number of operations after which it ends by itself.
  init(
    _ sequence: OperationSequence, on file: StressFile, depth: Int, operationLimit: Int,
    findings: Findings
  ) {
    self.sequence = sequence
    self.file = file
    self.depth = depth
    self.operationLimit = operationLimit
    self.findings = findings
    queue = file.file.loop.queue
    blocks = Array(repeating: BlockState(version: 0), count: file.blockCount)
  }

  var digest: UInt64 { sequence.digest }

  var unfinishedCount: Int { requests.count - idle.count }

  /// Whether all that was started has ended.
  var isOver: Bool {
    if case .draining = phase { unfinishedCount == 0 && settlingSince == nil } else { false }
  }

  /// What has been unfinished for the longest time, and since when.
  var oldest: (operation: Operation?, since: SuspendingClock.Instant)? {
    let request = requests.lazy.filter(\.isUnfinished).min { $0.startedAt < $1.startedAt }
    guard let request else { return settlingSince.map { (nil, $0) } }
    return (request.operation, request.startedAt)
  }

  /// What each block may hold; strict after a sync of the whole file.
  func expected(in block: Int) -> BlockState.Content {
    var state = blocks[block]
    state.settle()
    return state.expected
  }

  /// Starts as much as may be unfinished.
  func start() {
    while case .running = phase, unfinishedCount < depth {
      if held == nil, counts.started == operationLimit { return end() }
      let operation = held ?? sequence.next()
      guard begin(operation) else {
        if held == nil { counts.waited += 1 }
        held = operation
        return
      }
      held = nil
      cancelWhatIsDue(by: operation.number)
    }
  }

  /// Starts nothing further; what runs is waited for.
  func end() {
    guard case .running = phase else { return }
    phase = .draining
    for number in laterCancels.keys.sorted() { cancelWhatIsDue(by: number) }
  }

  // MARK: - Starting

  /// - Returns: Whether it was started; if not, something that runs is to end first.
  private func begin(_ operation: Operation) -> Bool {
    if case .write(let block) = operation.kind, !blocks[block].isFree {
      if blocks[block].hasUnseenWriter { settle() }
      return false
    }
    let request = idle.popLast() ?? makeRequest(operation)
    request.begin(operation, expected: expectation(of: operation))
    do throws(Errno) {
      isInsideCall = true
      defer { isInsideCall = false }
      request.id = try submit(request)
    } catch {
      giveUp(request, error)
      return false
    }
    counts.started += 1
    blockWasTaken(by: operation)
    arrangeCancellation(of: request)
    return true
  }

  private func makeRequest(_ operation: Operation) -> Request {
    let request = Request(operation)
    requests.append(request)
    return request
  }

  private func expectation(of operation: Operation) -> BlockState.Content {
    guard case .read(let block) = operation.kind else { return .version(0) }
    return blocks[block].expected
  }

  private func blockWasTaken(by operation: Operation) {
    switch operation.kind {
    case .read(let block): blocks[block].beginRead()
    case .write(let block): blocks[block].beginWrite(version: UInt64(operation.number))
    case .sync: break
    }
  }

  private func submit(_ request: Request) throws(Errno) -> RequestID {
    let operation = request.operation
    let timeout: Duration? =
      if case .deadline(let timeout)? = operation.cancellation { timeout } else { nil }
    let number = operation.number
    switch operation.kind {
    case .read(let block):
      return try file.file.read(
        into: takeBuffer(of: request), at: file.offset(of: block), timeout: timeout
      ) { [self] result, buffer in
        ended(request, number, result, buffer)
      }
    case .write(let block):
      var buffer = takeBuffer(of: request)
      // The format writes every byte.
      unsafe buffer.setCount(buffer.capacity)
      buffer.withMutableBytes { bytes in
        file.format.fill(&bytes, offset: file.offset(of: block), version: UInt64(number))
      }
      return try file.file.write(buffer, at: file.offset(of: block), timeout: timeout) {
        [self] result, buffer in
        ended(request, number, result, buffer)
      }
    case .sync(let dataOnly):
      let handler: CompletionQueue.SyncHandler = { [self] in ended(request, number, $0) }
      return dataOnly
        ? try file.file.dataSync(timeout: timeout, handler)
        : try file.file.sync(timeout: timeout, handler)
    }
  }

  private func takeBuffer(of request: Request) -> IOBuffer {
    // Aligned for direct IO, however small.
    request.buffer.take()
      ?? IOBuffer(capacity: file.format.blockByteCount, alignment: IOBuffer.pageAlignment)
  }

  /// The queue refused a request. Over a limit, it takes it when others have ended.
  private func giveUp(_ request: Request, _ error: Errno) {
    let operation = request.operation
    request.end()
    idle.append(request)
    guard error != .resourceTemporarilyUnavailable || unfinishedCount == 0 else { return }
    report("was refused: \(error)", operation)
  }

  /// Asks for the sync that ends the doubt about abandoned writes, unless one is under way.
  private func settle() {
    guard settlingSince == nil else { return }
    let next = counts.started + 1
    do throws(Errno) {
      try file.file.dataSync { [self] result in
        settlingSince = nil
        switch result {
        case .success: settleBlocks(writtenBefore: next)
        case .failure(let error): findings.add("a sync after abandoned writes failed: \(error)")
        }
        start()
      }
      settlingSince = .now
    } catch {
      findings.add("a sync after abandoned writes was refused: \(error)")
    }
  }

  // MARK: - Cancelling

  private func arrangeCancellation(of request: Request) {
    switch request.operation.cancellation {
    case .atOnce(let abandoning)?:
      cancel(request, request.id, request.operation.number, abandoning: abandoning)
    case .later(let operationCount, let abandoning)?:
      guard let id = request.id else { return }
      laterCancels[request.operation.number + operationCount, default: []]
        .append((request, id, abandoning))
    case .deadline?, nil:
      break
    }
  }

  private func cancelWhatIsDue(by number: Int) {
    guard let due = laterCancels.removeValue(forKey: number) else { return }
    for (request, id, abandoning) in due {
      cancel(request, id, request.operation.number, abandoning: abandoning)
    }
  }

  /// - Parameter id: Of this use of the request or of one before, which must be over then.
  private func cancel(
    _ request: Request, _ id: RequestID?, _ number: Int, abandoning: Bool
  ) {
    guard let id else { return }
    isInsideCall = true
    let status = queue.cancel(id, abandoning: abandoning)
    isInsideCall = false
    if request.isUnfinished, request.id == id { return request.wasCancelled(status) }
    guard status != .allDone else { return }
    findings.add("cancelling a request that had completed said \(status)", operation: number)
  }

  // MARK: - Ending

  private func ended(
    _ request: Request, _ number: Int, _ result: Result<Int, FileError>,
    _ buffer: consuming IOBuffer
  ) {
    let isBufferBack = buffer.capacity > 0
    guard isRight(request, number, result, isBufferBack: isBufferBack) else { return }
    let operation = request.operation
    switch operation.kind {
    case .read(let block):
      blocks[block].endRead()
      if case .success(let byteCount) = result {
        verifyRead(request, block, byteCount, buffer)
        reads.record(.now - request.startedAt)
        counts.readByteCount += byteCount
      }
    case .write(let block):
      if isBufferBack { verifyUnchanged(buffer, operation, block) }
      endWrite(operation, block, result, isBufferBack: isBufferBack)
      if case .success(let byteCount) = result {
        writes.record(.now - request.startedAt)
        counts.writtenByteCount += byteCount
      }
    case .sync:
      break
    }
    if isBufferBack { request.buffer = consume buffer }
    retire(request, result.map { _ in () })
  }

  private func ended(_ request: Request, _ number: Int, _ result: Result<Void, FileError>) {
    // There is no buffer to come back with the answer, only the word of the cancellation.
    let isAbandoned = if case .unfinished(.abandoned?) = request.phase { true } else { false }
    guard isRight(request, number, result.map { 0 }, isBufferBack: !isAbandoned) else { return }
    if case .success = result {
      syncs.record(.now - request.startedAt)
      verifyOrder(of: request.operation)
      settleBlocks(writtenBefore: number)
    }
    retire(request, result)
  }

  /// Whether a completion may come now, and is this request's; reports what is wrong with it.
  private func isRight(
    _ request: Request, _ number: Int, _ result: Result<Int, FileError>, isBufferBack: Bool
  ) -> Bool {
    guard request.operation.number == number, request.isUnfinished else {
      findings.add("completed more than once", operation: number)
      return false
    }
    if isInsideCall { report("completed inside a call", request.operation) }
    if let fault = request.fault(in: result, isBufferBack: isBufferBack) {
      report(fault, request.operation)
    }
    return true
  }

  private func retire(_ request: Request, _ result: Result<Void, FileError>) {
    switch result {
    case .success: counts.completed += 1
    case .failure(let error) where error.errno == .timedOut: counts.timedOut += 1
    case .failure: counts.canceled += 1
    }
    request.end()
    idle.append(request)
    start()
  }

  private func endWrite(
    _ operation: Operation, _ block: Int, _ result: Result<Int, FileError>, isBufferBack: Bool
  ) {
    let outcome: BlockState.WriteOutcome
    switch result {
    case .success(let byteCount):
      if byteCount != file.format.blockByteCount { report("wrote \(byteCount) bytes", operation) }
      outcome = .whole
    case .failure where !isBufferBack:
      unseenBlocks.append((block, operation.number))
      outcome = .unseen
    case .failure(let error):
      outcome = error.byteCountDone == 0 ? .notBegun : .partly
    }
    blocks[block].endWrite(outcome)
  }

  /// A sync is done that was asked for before the operation `next` and after those before that: what
  /// they wrote is over.
  private func settleBlocks(writtenBefore next: Int) {
    unseenBlocks.removeAll { block, number in
      guard number < next else { return false }
      blocks[block].settle()
      return true
    }
  }

  // MARK: - Verifying

  private func verifyRead(
    _ request: Request, _ block: Int, _ byteCount: Int, _ buffer: borrowing IOBuffer
  ) {
    guard byteCount == file.format.blockByteCount, buffer.count == byteCount else {
      return report("read \(byteCount) bytes, and has \(buffer.count)", request.operation)
    }
    let offset = file.offset(of: block)
    let fault = buffer.withBytes { bytes in
      file.format.fault(in: bytes, offset: offset, expected: request.expected)
    }
    if let fault { return report("the block \(fault)", request.operation) }
    guard case .oneOf = request.expected else { return }
    if let heading = buffer.withBytes({ file.format.heading(of: $0) }) {
      blocks[block].found(heading.version)
    }
  }

  /// Memory that was written to the file comes back as it went.
  private func verifyUnchanged(
    _ buffer: borrowing IOBuffer, _ operation: Operation, _ block: Int
  ) {
    let isSame =
      buffer.count == file.format.blockByteCount
      && buffer.withBytes { bytes in
        file.format.matches(
          bytes, offset: file.offset(of: block), version: UInt64(operation.number))
      }
    if !isSame { report("the buffer of a write came back changed", operation) }
  }

  /// A sync comes after every write that was accepted before it.
  private func verifyOrder(of sync: Operation) {
    for request in requests where request.isUnfinished && request.operation.number < sync.number {
      guard case .write = request.operation.kind else { continue }
      report("was not done when the later sync \(sync.number) was", request.operation)
    }
  }

  private func report(_ what: String, _ operation: Operation) {
    switch operation.kind {
    case .read(let block):
      findings.add("read: \(what)", operation: operation.number, offset: file.offset(of: block))
    case .write(let block):
      findings.add("write: \(what)", operation: operation.number, offset: file.offset(of: block))
    case .sync:
      findings.add("sync: \(what)", operation: operation.number)
    }
  }
}
