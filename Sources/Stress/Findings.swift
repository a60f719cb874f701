/// One error that was found.
struct Finding: CustomStringConvertible {
  let what: String
  /// The number of the operation; nil before and after the load.
  let operation: Int?
  /// The offset in the file in bytes, if there is one.
  let offset: Int64?

  var description: String {
    var text = operation.map { "operation \($0): " } ?? ""
    if let offset { text += "at offset \(offset): " }
    return text + what
  }
}

/// The errors that were found: the first ones in full, and their number.
final class Findings {
  private static let keptCount = 10

  private(set) var first: [Finding] = []
  private(set) var count = 0

  /// Called for each finding.
  var onFinding: () -> Void = {}

  var isEmpty: Bool { count == 0 }

  func add(_ what: String, operation: Int? = nil, offset: Int64? = nil) {
    count += 1
    if first.count < Self.keptCount {
      first.append(Finding(what: what, operation: operation, offset: offset))
    }
    onFinding()
  }

  func add(_ what: String, _ operation: StressOperation, of file: StressFile) {
    switch operation.kind {
    case .read(let block):
      add("read: \(what)", operation: operation.number, offset: file.offset(of: block))
    case .write(let block):
      add("write: \(what)", operation: operation.number, offset: file.offset(of: block))
    case .sync:
      add("sync: \(what)", operation: operation.number)
    }
  }
}

extension BlockFormat {
  /// Describes the error in a block; nil if it is right.
  ///
  /// - Parameter expected: The possible contents.
  func fault(
    in bytes: RawSpan, from start: Int = 0, offset: Int64, expected: BlockState.Content
  ) -> String? {
    switch expected {
    case .version(let version) where matches(bytes, from: start, offset: offset, version: version):
      return nil
    case .oneOf(let versions)
    where versions.contains { matches(bytes, from: start, offset: offset, version: $0) }:
      return nil
    default:
      break
    }
    let foreign = firstForeignByte(bytes, from: start, offset: offset, versions: expected.versions)
    if case .mixtureOf = expected, foreign == nil { return nil }
    let place = foreign.map { "differs first at byte \($0) of the block" } ?? "is torn"
    return "\(place), where \(expected) belongs; there is \(contents(of: bytes, from: start))"
  }

  /// Describes the actual contents, by the block's heading.
  private func contents(of bytes: RawSpan, from start: Int) -> String {
    guard let heading = heading(of: bytes, from: start) else {
      let isZero = (start..<start + blockByteCount).allSatisfy {
        // The span checks the bounds, and any byte is a valid UInt8.
        unsafe bytes.unsafeLoad(fromByteOffset: $0, as: UInt8.self) == 0
      }
      return isZero ? "nothing but zeros" : "something that is no block"
    }
    let isWhole = matches(bytes, from: start, offset: heading.offset, version: heading.version)
    guard heading.fileID == fileID else { return "a block of an earlier file" }
    return
      "\(isWhole ? "" : "part of ")version \(heading.version) of the block at \(heading.offset)"
  }
}

extension BlockState.Content: CustomStringConvertible {
  var description: String {
    switch self {
    case .version(let version): "version \(version)"
    case .oneOf(let versions): "one of the versions \(versions)"
    case .mixtureOf(let versions): "a mixture of the versions \(versions)"
    }
  }
}
