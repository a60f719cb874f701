import Glibc
import SystemPackage
import TestSupport

@testable import PosixAIO

/// The handlers of a simulation's requests: each answer is held against the model.
extension Simulation {
  func checkPlace(_ what: @autoclosure () -> String) {
    journal.check(1, !isInsideCall && queue.hot.isDraining, "\(what()) came not from drain()")
  }

  func readEnded(
    _ request: SimulatedRequest, _ result: Result<Int, FileError>, _ buffer: borrowing IOBuffer
  ) {
    let bytes = Array(buffer)
    guard begin(request, result, buffer.capacity) else { return }
    request.answer(doneCount: 0)
    if case .success(let count) = result {
      let kernel = request.kernelBytes
      journal.check(
        2, count == kernel.count && bytes == kernel,
        "\(request) says \(count) bytes, and the kernel \(kernel.count), or others")
      journal.check(2, !request.isShortInCache, "\(request) is short by the word of the page cache")
      if request.file.disk.kind == .plain || request.file.disk.kind == .direct,
        let fault = request.file.fault(in: bytes, at: request.offset, since: request.enqueuedAt)
      {
        journal.violated(2, "\(request): \(fault)")
      }
    }
    goOn()
  }

  func writeEnded(
    _ request: SimulatedRequest, _ result: Result<Int, FileError>, _ buffer: borrowing IOBuffer
  ) {
    let bytes = Array(buffer)
    guard begin(request, result, buffer.capacity) else { return }
    let doneCount: Int?
    switch result {
    case .success(let count):
      doneCount = count
      journal.check(2, count == request.byteCount, "\(request) succeeds with \(count) bytes")
    case .failure(let error):
      doneCount = buffer.capacity > 0 ? error.byteCountDone : nil
      if isFailure(error), request.file.failedAt == nil { request.file.failedAt = moment }
    }
    if buffer.capacity > 0 {
      journal.check(
        2, bytes == SimulatedContent.bytes(of: request.number, count: request.byteCount),
        "the buffer of \(request) came back changed")
    }
    request.answer(doneCount: doneCount)
    request.file.ended(request, byteCount: doneCount, at: moment)
    goOn()
  }

  func syncEnded(_ request: SimulatedRequest, _ result: Result<Void, FileError>) {
    guard begin(request, result.map { 0 }, 0) else { return }
    request.answer(doneCount: 0)
    let file = request.file
    switch result {
    case .success: checkPromise(of: request)
    case .failure(let error):
      if isFailure(error), file.failedAt == nil { file.failedAt = moment }
    }
    goOn()
  }

  // MARK: -

  /// Whether the file is not as good as before.
  private func isFailure(_ error: FileError) -> Bool {
    ![.canceled, .timedOut, .resourceTemporarilyUnavailable].contains(error.errno)
  }

  /// What a sync that succeeded has promised.
  private func checkPromise(of sync: SimulatedRequest) {
    let file = sync.file
    if let failedAt = file.failedAt {
      journal.check(7, failedAt > sync.enqueuedAt, "\(sync) succeeds after a failure")
    }
    for write in file.requests where write.kind == .write && write.enqueuedAt < sync.enqueuedAt {
      journal.check(6, write.isAnswered, "\(sync) comes before \(write)")
      let isFailed = write.kernelError != 0 && (write.doneCount < write.byteCount)
      journal.check(7, !isFailed, "\(sync) succeeds after \(write) has failed")
      if sync.kind == .sync, write.isAnswered, !write.isUnknown {
        journal.check(
          7, write.lastChange <= file.disk.durableChangeCount,
          "\(sync) succeeds, and the metadata of \(write) is not on the disk")
      }
    }
    if let missing = file.missing(after: sync.enqueuedAt) {
      journal.violated(7, "\(sync) succeeds, and on the disk \(missing)")
    }
  }

  /// What is true of each answer.
  private func begin(
    _ request: SimulatedRequest, _ result: Result<Int, FileError>, _ capacity: Int
  ) -> Bool {
    journal.note("answered: \(request): \(result)")
    moment += 1
    checkPlace("\(request)")
    guard !request.isAnswered else {
      journal.violated(1, "\(request) was answered twice")
      return false
    }
    unfinished.removeAll { $0 === request }
    let isHeld = libc.isHeld(request.memory)
    if capacity > 0 {
      journal.check(1, !isHeld, "libc still has the memory of \(request)")
      request.memory = 0..<0
    }
    if capacity == 0, !request.isSync {
      journal.check(9, request.wasHandedOver, "\(request) lost its buffer, and libc never had it")
    }
    switch result {
    case .success:
      journal.check(
        9, ![.canceled, .abandoned].contains(request.expectedAnswer),
        "\(request) succeeds after it was cancelled")
    case .failure(let error): check(error, of: request)
    }
    return true
  }

  private func check(_ error: FileError, of request: SimulatedRequest) {
    let isExpected: Bool
    switch error.errno {
    case .canceled:
      isExpected =
        request.mayBeCancelled || [.canceled, .abandoned].contains(request.expectedAnswer)
    case .timedOut:
      isExpected = request.deadline.map { $0 <= libc.time } ?? false
    case .resourceTemporarilyUnavailable:
      isExpected = request.file.disk.refusalCount > 0
    default:
      // Whose a rest of a few bytes is cannot be told.
      let isTold = request.byteCount - error.byteCountDone >= SimulatedContent.leastTold
      isExpected =
        request.isSync || !isTold
        ? request.file.disk.failures.contains(error.errno.rawValue)
        : request.kernelError == error.errno.rawValue
    }
    journal.check(2, isExpected, "\(request) fails without a reason: \(error)")
  }

  /// Handlers may do anything.
  func goOn() {
    guard random.oneIn(4), !journal.isBroken else { return }
    do { try program() } catch { journal.violated(8, "\(error)") }
  }
}
