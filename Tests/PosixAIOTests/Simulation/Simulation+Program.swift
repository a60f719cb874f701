import Glibc
import SystemPackage
import TestSupport

@testable import PosixAIO

/// What the program of a simulation does, and what it makes of the answers.
extension Simulation {
  func programStep() throws {
    guard let file = files.filter(\.isOpen).randomElement(using: &random) else {
      return try openFile()
    }
    switch Int.random(in: 0..<100, using: &random) {
    case 0..<30: try writeRun(to: file)
    case 30..<50: try read(file)
    case 50..<65: try sync(file)
    case 65..<85: cancelOne()
    case 85..<90: cancelAll(of: random.oneIn(4) ? anyFile(file) : file)
    case 90..<93:
      close(file)
      try openFile()
    default: break
    }
  }

  func close(_ file: SimulatedFile) {
    journal.note("closing: \(file.disk.name)")
    file.noteClosing()
    call {
      file.file.close { [self] result in
        if !isRetired { checkPlace("the close of \(file.disk.name)") }
        closedCount += 1
        if case .failure(let error) = result {
          journal.check(10, hasEnded && error.errno == .canceled, "\(error)")
          return
        }
        journal.note("closed: \(file.disk.name)")
        let open = file.requests.filter { !$0.isAnswered }
        journal.check(10, open.isEmpty, "\(file.disk.name) is closed before \(open)")
        let isHeld = libc.held.contains { $0.disk === file.disk }
        journal.check(10, !isHeld, "\(file.disk.name) is closed while libc has operations of it")
        if let fault = file.faultAtTheEnd() { journal.violated(2, fault) }
        goOn()
      }
    }
    do throws(Errno) {
      try file.file.sync { _ in }
      journal.violated(10, "a request after the close was accepted")
    } catch {
      journal.check(10, error == .badFileDescriptor, "a request after the close: \(error)")
    }
  }

  // MARK: Requests

  /// Some writes side by side, so that they may be merged.
  private func writeRun(to file: SimulatedFile) throws {
    guard file.disk.kind != .pipe else { return try read(file) }
    var page = Int.random(in: 0..<SimulatedFile.pageCount, using: &random)
    for _ in 0..<Int.random(in: 1...6, using: &random) {
      let end = page + Int.random(in: 1...2, using: &random)
      guard end <= SimulatedFile.pageCount else { return }
      guard file.disk.kind == .appending || file.isFree(page..<end) else { return }
      let request = make(.write, file, page..<end)
      let content = SimulatedContent.bytes(of: request.number, count: request.byteCount)
      submit(request, IOBuffer(copying: content)) { buffer throws(Errno) in
        try file.file.write(buffer, at: Int64(request.offset), timeout: timeout(request)) {
          [self] result, buffer in
          writeEnded(request, result, buffer)
        }
      }
      page = end
    }
  }

  private func read(_ file: SimulatedFile) throws {
    let page = Int.random(in: 0..<SimulatedFile.pageCount, using: &random)
    let end = min(page + Int.random(in: 1...4, using: &random), SimulatedFile.pageCount)
    let request = make(.read, file, page..<end)
    submit(request, IOBuffer(capacity: request.byteCount)) { buffer throws(Errno) in
      try file.file.read(into: buffer, at: Int64(request.offset), timeout: timeout(request)) {
        [self] result, buffer in
        readEnded(request, result, buffer)
      }
    }
  }

  private func sync(_ file: SimulatedFile) throws {
    guard file.disk.kind != .pipe else { return }
    let request = make(random.oneIn(2) ? .sync : .dataSync, file, 0..<0)
    submit(request, IOBuffer(capacity: 0)) { _ throws(Errno) in
      let handler: CompletionQueue.SyncHandler = { [self] in syncEnded(request, $0) }
      return request.kind == .sync
        ? try file.file.sync(timeout: timeout(request), handler)
        : try file.file.dataSync(timeout: timeout(request), handler)
    }
  }

  private func make(
    _ kind: SimulatedRequest.Kind, _ file: SimulatedFile, _ pages: Range<Int>
  ) -> SimulatedRequest {
    let timeout = random.oneIn(6) ? UInt64.random(in: 1000...1_000_000, using: &random) : nil
    return SimulatedRequest(
      libc.requests.count, kind, file, offset: pages.lowerBound * SimulatedDisk.pageByteCount,
      byteCount: pages.count * SimulatedDisk.pageByteCount,
      deadline: timeout.map { libc.time + $0 })
  }

  private func timeout(_ request: SimulatedRequest) -> Duration? {
    request.deadline.map { .nanoseconds($0 - libc.time) }
  }

  /// Makes a request, and notes it if no limit refuses it.
  private func submit(
    _ request: SimulatedRequest, _ buffer: consuming IOBuffer,
    _ body: (consuming IOBuffer) throws(Errno) -> RequestID
  ) {
    let start = unsafe UInt(bitPattern: buffer.unsafeMemory.baseAddress)
    request.memory = start..<start + UInt(buffer.capacity)
    journal.check(
      1, !libc.isHeld(request.memory), "memory was freed while libc has it: \(request)")
    request.enqueuedAt = moment
    moment += 1
    isInsideCall = true
    defer { isInsideCall = false }
    do throws(Errno) {
      request.id = try body(buffer)
      journal.note("accepted: \(request)")
      libc.requests.append(request)
      unfinished.append(request)
      request.file.accepted(request)
    } catch {
      journal.check(
        8, error == (hasEnded ? .canceled : .resourceTemporarilyUnavailable),
        "\(request): \(error)")
    }
  }

  // MARK: Cancellations

  private func cancelOne() {
    // Now and then one that is over.
    let candidates = random.oneIn(5) ? Array(libc.requests.suffix(40)) : unfinished
    guard let request = candidates.randomElement(using: &random), let id = request.id
    else { return }
    let isAbandoning = random.oneIn(2)
    let wasHandedOver = request.wasHandedOver
    let status = call { queue.cancel(id, abandoning: isAbandoning) }
    journal.note("cancelling \(request): \(status)")
    guard !request.isAnswered else {
      return journal.check(9, status == .allDone, "\(request) is over, and said \(status)")
    }
    switch request.expectedAnswer {
    case nil, .notCanceled?: break
    case .canceled?, .abandoned?, .allDone?:
      journal.check(9, status == .allDone, "\(request) has its answer, and said \(status)")
      return
    }
    if !request.isSync, !wasHandedOver, !request.mayBeCancelled {
      // Its deadline may have answered it.
      let isTimedOut = status == .allDone && request.deadline != nil
      journal.check(
        9, status == .canceled || isTimedOut || isCached(request),
        "\(request) was never with libc, and said \(status)")
    }
    journal.check(
      9, !isAbandoning || status != .notCanceled, "\(request) is to be abandoned, and is not")
    request.expectedAnswer = status
  }

  /// Whether it may have been answered without libc.
  private func isCached(_ request: SimulatedRequest) -> Bool {
    request.kind == .read && libc.configuration.readsCacheFirst
  }

  private func cancelAll(of file: SimulatedFile) {
    journal.note("cancelling all of \(file.disk.name)")
    call { queue.cancelAll(of: file.file) }
    let waiting = libc.held.filter { $0.disk === file.disk && !$0.isRunning && !$0.isSyncMarker }
    journal.check(9, waiting.isEmpty || isRetired, "\(waiting) do not run, and are not cancelled")
    for request in file.requests where !request.isAnswered {
      request.mayBeCancelled = true
      if !request.wasHandedOver, !request.isSync { request.mustNotStart = true }
      if !libc.mayHold(request) { request.isDue = true }
    }
    guard !queue.hot.isDraining, !queue.hot.finished.isEmpty else { return }
    journal.check(9, isDrainRequested || queue.isReadable, "what was cancelled asks for no drain")
  }

  /// One of all files, closed ones too.
  private func anyFile(_ file: SimulatedFile) -> SimulatedFile {
    files.randomElement(using: &random) ?? file
  }

  /// Makes a call from inside which no handler may come.
  @discardableResult
  func call<Answer>(_ body: () -> Answer) -> Answer {
    let wasInside = isInsideCall
    isInsideCall = true
    defer { isInsideCall = wasInside }
    return body()
  }
}
