import PosixAIO
import Reactor
import SystemPackage

/// Starts the operations in their order, as many as may be unfinished at a time, and holds each
/// completion against what was asked for.
///
/// An operation that its block is not free for waits, and so do those behind it.
final class Load {
  /// How the load goes on.
  private enum Phase {
    case running
    /// Nothing new is started.
    case draining
  }

  private(set) var tally = Tally()

  private let file: StressFile
  private let queue: CompletionQueue
  private let findings: Findings
  private let depth: Int
  private let operationLimit: Int
  private var sequence: OperationSequence
  private let blocks: BlockBooks
  private var phase = Phase.running
  /// Drawn, and not started yet.
  private var held: Operation?
  private var requests: [Request] = []
  private var idle: [Request] = []
  private var laterCancels: [Int: [(request: Request, id: RequestID, abandoning: Bool)]] = [:]
  /// Whether one of the calls of the queue is on the stack, from inside which no handler is called.
  private var isInsideCall = false
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
    blocks = BlockBooks(of: file, findings: findings)
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

  /// What a block may hold when the whole file was synced at the end.
  func expectedAtTheEnd(in block: Int) -> BlockState.Content {
    blocks.expectedAtTheEnd(in: block)
  }

  /// Starts as much as may be unfinished.
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

  /// Starts nothing further; what runs is waited for.
  func end() {
    guard case .running = phase else { return }
    phase = .draining
    for number in laterCancels.keys.sorted() { cancelWhatIsDue(by: number) }
  }

  // MARK: - Starting

  /// - Returns: Whether it was started; if not, something that runs is to end first.
  private func begin(_ operation: Operation) -> Bool {
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

  private func makeRequest(_ operation: Operation) -> Request {
    let request = Request(operation)
    requests.append(request)
    return request
  }

  private func submit(_ request: Request) -> RequestID {
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

  private func takeBuffer(of request: Request) -> IOBuffer {
    // Aligned for direct IO, however small.
    request.buffer.take()
      ?? IOBuffer(capacity: file.format.blockByteCount, alignment: IOBuffer.pageAlignment)
  }

  /// Whether the queue would take an operation; if not, it does when others have ended.
  private func hasRoom(for operation: Operation) -> Bool {
    switch operation.kind {
    case .read, .write: queue.hasRoom(forBytes: file.format.blockByteCount)
    case .sync: queue.hasRoom()
    }
  }

  /// Asks for the sync that ends the doubt about abandoned writes, unless one is under way.
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
    if case .read = request.operation.kind {
      blocks.readEnded(request, result, buffer)
    } else {
      blocks.writeEnded(request.operation, result, buffer)
    }
    if isBufferBack { request.buffer = consume buffer }
    retire(request, result)
  }

  private func ended(_ request: Request, _ number: Int, _ result: Result<Void, FileError>) {
    // There is no buffer to come back with the answer, only the word of the cancellation.
    let isAbandoned = if case .unfinished(.abandoned?) = request.phase { true } else { false }
    guard isRight(request, number, result.map { 0 }, isBufferBack: !isAbandoned) else { return }
    if case .success = result {
      verifyOrder(of: request.operation)
      blocks.settle(writtenBefore: number)
    }
    retire(request, result.map { 0 })
  }

  /// Whether a completion may come now, and is this request's; reports what is wrong with it.
  private func isRight(
    _ request: Request, _ number: Int, _ result: Result<Int, FileError>, isBufferBack: Bool
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

  /// A sync comes after every write that was accepted before it.
  private func verifyOrder(of sync: Operation) {
    for request in requests where request.isUnfinished && request.operation.number < sync.number {
      guard case .write = request.operation.kind else { continue }
      findings.add(
        "was not done when the later sync \(sync.number) was", request.operation, of: file)
    }
  }

  private func retire(_ request: Request, _ result: Result<Int, FileError>) {
    tally.count(request, result)
    request.end()
    idle.append(request)
    start()
  }
}
