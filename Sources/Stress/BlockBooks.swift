import PosixAIO

/// What stands in each block, by what was asked for and answered, and what is wrong with the
/// answers.
///
/// A write has its block alone when it begins. Only reads may join others, and then may see a
/// mixture of what stood there and what is being written. A block whose write was abandoned belongs
/// to the kernel until a sync that was asked for after the write is done.
final class BlockBooks {
  /// Whether an operation may begin now.
  enum Permission {
    case granted
    /// When others of its block have ended.
    case later
    /// When the file was synced: the kernel may still write.
    case whenSynced
  }

  private let file: StressFile
  private let findings: Findings
  private var states: [BlockState]
  /// With the number of the write that was abandoned.
  private var unseen: [(block: Int, number: Int)] = []

  init(of file: StressFile, findings: Findings) {
    self.file = file
    self.findings = findings
    states = Array(repeating: BlockState(version: 0), count: file.blockCount)
  }

  // MARK: - Beginning

  func permission(for operation: Operation) -> Permission {
    guard case .write(let block) = operation.kind, !states[block].isFree else { return .granted }
    return states[block].hasUnseenWriter ? .whenSynced : .later
  }

  /// What an operation that begins now may find in its block.
  func expected(by operation: Operation) -> BlockState.Content {
    switch operation.kind {
    case .read(let block), .write(let block): states[block].expected
    case .sync: .oneOf([])
    }
  }

  func began(_ operation: Operation) {
    switch operation.kind {
    case .read(let block): states[block].beginRead()
    case .write(let block): states[block].beginWrite(version: UInt64(operation.number))
    case .sync: break
    }
  }

  // MARK: - Ending

  func readEnded(
    _ request: Request, _ result: Result<Int, FileError>, _ buffer: borrowing IOBuffer
  ) {
    guard case .read(let block) = request.operation.kind else { return }
    states[block].endRead()
    guard case .success(let byteCount) = result else { return }
    guard byteCount == file.format.blockByteCount, buffer.count == byteCount else {
      let fault = "read \(byteCount) bytes, and has \(buffer.count)"
      return findings.add(fault, request.operation, of: file)
    }
    let offset = file.offset(of: block)
    let fault = buffer.withBytes { bytes in
      file.format.fault(in: bytes, offset: offset, expected: request.expected)
    }
    if let fault { return findings.add("the block \(fault)", request.operation, of: file) }
    guard case .oneOf = request.expected else { return }
    if let heading = buffer.withBytes({ file.format.heading(of: $0) }) {
      states[block].found(heading.version)
    }
  }

  func writeEnded(
    _ operation: Operation, _ result: Result<Int, FileError>, _ buffer: borrowing IOBuffer
  ) {
    guard case .write(let block) = operation.kind else { return }
    if buffer.capacity > 0 { verifyUnchanged(buffer, operation, block) }
    switch result {
    case .success(let byteCount):
      if byteCount != file.format.blockByteCount {
        findings.add("wrote \(byteCount) bytes", operation, of: file)
      }
      states[block].endWrite(.whole)
    case .failure where buffer.capacity == 0:
      unseen.append((block, operation.number))
      states[block].endWrite(.unseen)
    case .failure(let error):
      states[block].endWrite(error.byteCountDone == 0 ? .notBegun : .partly)
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
    if !isSame { findings.add("its buffer came back changed", operation, of: file) }
  }

  /// A sync is done that was asked for before the operation `next` and after those before that:
  /// what they wrote is over.
  func settle(writtenBefore next: Int) {
    unseen.removeAll { block, number in
      guard number < next else { return false }
      states[block].settle()
      return true
    }
  }

  /// What a block may hold when the whole file was synced at the end.
  func expectedAtTheEnd(in block: Int) -> BlockState.Content {
    var state = states[block]
    state.settle()
    return state.expected
  }
}
