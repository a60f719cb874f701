import PosixAIO
import Reactor
import SystemPackage

/// Starts the operations in order, with up to `depth` unfinished, and checks each completion.
///
/// If an operation has to wait for its block, the operations after it wait too.
final class Load {
  /// The phase of the load.
  private enum Phase {
    case running
    /// No operation is started any more.
    case draining
  }

  private(set) var tally = Tally()

  private let file: StressFile
  private let queue: CompletionQueue
  private let findings: Findings
  private let depth: Int
  private let operationLimit: Int
  private var sequence: OperationSequence
  private let blocks: BlockModel
  private var phase = Phase.running
  /// The next operation, if it has been generated but not started.
  private var held: StressOperation?
  private var requests: [StressRequest] = []
  private var idle: [StressRequest] = []
  private var laterCancels: [Int: [(request: StressRequest, id: RequestID, abandoning: Bool)]] = [:]
  /// Whether a call of the queue is on the stack. Handlers must not be called inside one.
  private var isInsideCall = false
  /// The start of a running sync that is not part of the sequence.
  private var settlingSince: SuspendingClock.Instant?

  /// - Parameter operationLimit: The number of operations after which the load ends by itself.
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
    blocks = BlockModel(of: file, findings: findings)
  }

  var digest: UInt64 { sequence.digest }

  var unfinishedCount: Int { requests.count - idle.count }

  /// Whether everything that was started has ended.
  var isOver: Bool {
    if case .draining = phase { unfinishedCount == 0 && settlingSince == nil } else { false }
  }

  /// The oldest unfinished operation, and its start.
  var oldest: (operation: StressOperation?, since: SuspendingClock.Instant)? {
    let request = requests.lazy.filter(\.isUnfinished).min { $0.startedAt < $1.startedAt }
    guard let request else { return settlingSince.map { (nil, $0) } }
    return (request.operation, request.startedAt)
  }

  /// The possible contents of a block after a sync at the end.
  func expectedAtTheEnd(in block: Int) -> BlockState.Content {
    blocks.expectedAtTheEnd(in: block)
  }

  /// Starts operations until `depth` are unfinished, or the next one has to wait.
  func start() {
    while case .running = phase, unfinishedCount < depth {
      if held == nil, tally.startedCount == operationLimit { return end() }
      let operation = held ?? sequence.next()
      guard begin(operation) else {
        if held == nil { tally.waitCount += 1 }
        held = operation
        return
      }
      held = nil
      cancelWhatIsDue(by: operation.number)
    }
  }

  /// Starts no further operations; those that run may end.
  func end() {
    guard case .running = phase else { return }
    phase = .draining
    for number in laterCancels.keys.sorted() { cancelWhatIsDue(by: number) }
  }

  // MARK: - Starting

  /// - Returns: Whether the operation was started. If not, a running one has to end first.
  private func begin(_ operation: StressOperation) -> Bool {
    switch blocks.permission(for: operation) {
    case .granted: break
    case .whenSynced:
      settle()
      return false
    case .later: return false
    }
    guard unfinishedCount == 0 || hasRoom(for: operation) else { return false }
    let request = idle.popLast() ?? makeRequest(operation)
    request.begin(operation, expected: blocks.expected(by: operation))
    isInsideCall = true
    request.id = submit(request)
    isInsideCall = false
    tally.startedCount += 1
    blocks.began(operation)
    arrangeCancellation(of: request)
    return true
  }

  private func makeRequest(_ operation: StressOperation) -> StressRequest {
    let request = StressRequest(operation)
    requests.append(request)
    return request
  }

  private func submit(_ request: StressRequest) -> RequestID {
    let operation = request.operation
    let timeout: Duration? =
      if case .deadline(let timeout)? = operation.cancellation { timeout } else { nil }
    let number = operation.number
    switch operation.kind {
    case .read(let block):
      return file.file.read(
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
      return file.file.write(buffer, at: file.offset(of: block), timeout: timeout) {
        [self] result, buffer in
        ended(request, number, result, buffer)
      }
    case .sync(let dataOnly):
      let handler: CompletionQueue.SyncHandler = { [self] in ended(request, number, $0) }
      return dataOnly
        ? file.file.dataSync(timeout: timeout, handler)
        : file.file.sync(timeout: timeout, handler)
    }
  }

  private func takeBuffer(of request: StressRequest) -> IOBuffer {
    // Aligned for direct IO, even if it is small.
    request.buffer.take()
      ?? IOBuffer(capacity: file.format.blockByteCount, alignment: IOBuffer.pageAlignment)
  }

  /// Whether the queue has room for an operation. If not, it will when others have ended.
  private func hasRoom(for operation: StressOperation) -> Bool {
    switch operation.kind {
    case .read, .write: queue.hasRoom(forBytes: file.format.blockByteCount)
    case .sync: queue.hasRoom()
    }
  }

  /// Starts the sync that resolves abandoned writes, if none is running.
  private func settle() {
    guard settlingSince == nil else { return }
    let next = tally.startedCount + 1
    settlingSince = .now
    file.file.dataSync { [self] result in
      settlingSince = nil
      switch result {
      case .success: blocks.settle(writtenBefore: next)
      case .failure(let error): findings.add("a sync after abandoned writes failed: \(error)")
      }
      start()
    }
  }

  // MARK: - Cancelling

  private func arrangeCancellation(of request: StressRequest) {
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

  /// - Parameter id: The ID of the request's current use, or of an earlier one, which must have
  ///   ended.
  private func cancel(
    _ request: StressRequest, _ id: RequestID?, _ number: Int, abandoning: Bool
  ) {
    guard let id else { return }
    isInsideCall = true
    let status = queue.cancel(id, abandoning: abandoning)
    isInsideCall = false
    if request.isUnfinished, request.id == id { return request.wasCancelled(status) }
    guard status != .allDone else { return }
    findings.add("cancelling a completed request returned \(status)", operation: number)
  }

  // MARK: - Ending

  private func ended(
    _ request: StressRequest, _ number: Int, _ result: Result<Int, FileError>,
    _ buffer: consuming IOBuffer
  ) {
    let isBufferBack = buffer.capacity > 0
    guard isRight(request, number, result, isBufferBack: isBufferBack) else { return }
    if case .read = request.operation.kind {
      blocks.readEnded(request, result, buffer)
    } else {
      blocks.writeEnded(request.operation, result, buffer)
    }
    if isBufferBack { request.buffer = consume buffer }
    retire(request, result)
  }

  private func ended(_ request: StressRequest, _ number: Int, _ result: Result<Void, FileError>) {
    // A sync has no buffer that could be missing; only the result of cancelling says that it was
    // abandoned.
    let isAbandoned = if case .unfinished(.abandoned?) = request.phase { true } else { false }
    guard isRight(request, number, result.map { 0 }, isBufferBack: !isAbandoned) else { return }
    if case .success = result {
      verifyOrder(of: request.operation)
      blocks.settle(writtenBefore: number)
    }
    retire(request, result.map { 0 })
  }

  /// Whether a completion belongs to this request and may come now. Reports errors in it.
  private func isRight(
    _ request: StressRequest, _ number: Int, _ result: Result<Int, FileError>, isBufferBack: Bool
  ) -> Bool {
    guard request.operation.number == number, request.isUnfinished else {
      findings.add("completed more than once", operation: number)
      return false
    }
    if isInsideCall { findings.add("completed inside a call", request.operation, of: file) }
    if let fault = request.fault(in: result, isBufferBack: isBufferBack) {
      findings.add(fault, request.operation, of: file)
    }
    return true
  }

  /// Checks that a sync completes after every write that was accepted before it.
  private func verifyOrder(of sync: StressOperation) {
    for request in requests where request.isUnfinished && request.operation.number < sync.number {
      guard case .write = request.operation.kind else { continue }
      findings.add(
        "was unfinished when the later sync \(sync.number) completed", request.operation, of: file)
    }
  }

  private func retire(_ request: StressRequest, _ result: Result<Int, FileError>) {
    tally.count(request, result)
    request.end()
    idle.append(request)
    start()
  }
}
