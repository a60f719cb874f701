import PosixAIO

/// A model of the blocks' contents, from the operations and their results. It reports results that
/// contradict it.
///
/// A write begins only when its block has no other operation. Reads may join it, and may then see a
/// mixture of the old and the new version. After a write is abandoned, its block belongs to the
/// kernel until a sync that was requested later has ended.
final class BlockModel {
  /// Whether an operation may begin now.
  enum Permission {
    case granted
    /// When the other operations on its block have ended.
    case later
    /// After a sync of the file: the kernel may still be writing.
    case whenSynced
  }

  private let file: StressFile
  private let findings: Findings
  private var states: [BlockState]
  /// The blocks with abandoned writes, and the numbers of the writes.
  private var unseen: [(block: Int, number: Int)] = []

  init(of file: StressFile, findings: Findings) {
    self.file = file
    self.findings = findings
    states = Array(repeating: BlockState(version: 0), count: file.blockCount)
  }

  // MARK: - Beginning

  func permission(for operation: StressOperation) -> Permission {
    guard case .write(let block) = operation.kind, !states[block].isFree else { return .granted }
    return states[block].hasUnseenWriter ? .whenSynced : .later
  }

  /// The possible contents of the block for an operation that begins now.
  func expected(by operation: StressOperation) -> BlockState.Content {
    switch operation.kind {
    case .read(let block), .write(let block): states[block].expected
    case .sync: .oneOf([])
    }
  }

  func began(_ operation: StressOperation) {
    switch operation.kind {
    case .read(let block): states[block].beginRead()
    case .write(let block): states[block].beginWrite(version: UInt64(operation.number))
    case .sync: break
    }
  }

  // MARK: - Ending

  func readEnded(
    _ request: StressRequest, _ result: Result<Int, FileError>, _ buffer: borrowing IOBuffer
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
    _ operation: StressOperation, _ result: Result<Int, FileError>, _ buffer: borrowing IOBuffer
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

  /// Checks that a write's buffer came back unchanged.
  private func verifyUnchanged(
    _ buffer: borrowing IOBuffer, _ operation: StressOperation, _ block: Int
  ) {
    let isSame =
      buffer.count == file.format.blockByteCount
      && buffer.withBytes { bytes in
        file.format.matches(
          bytes, offset: file.offset(of: block), version: UInt64(operation.number))
      }
    if !isSame { findings.add("its buffer came back changed", operation, of: file) }
  }

  /// A sync has ended that was requested after all operations before number `next`: the abandoned
  /// writes among these are over.
  func settle(writtenBefore next: Int) {
    unseen.removeAll { block, number in
      guard number < next else { return false }
      states[block].settle()
      return true
    }
  }

  /// The possible contents of a block after a sync at the end.
  func expectedAtTheEnd(in block: Int) -> BlockState.Content {
    var state = states[block]
    state.settle()
    return state.expected
  }
}
