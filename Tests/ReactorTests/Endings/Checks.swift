import Foundation
import Glibc
import SystemPackage
import TestSupport

/// What must hold on the disk, whatever the ending was. Each gives a complaint, or nil.
extension Call {
  /// A file whose content is new where the call succeeded, old where it was refused, and otherwise
  /// one of the two, whole.
  static func replaces(_ name: String, old: [UInt8]?, new: [UInt8]) -> Check {
    { folder, outcome in
      let found = exists(folder, name) ? try folder.contents(of: name) : nil
      switch outcome.kind {
      case .value: return found == new ? nil : "\(name): reported done, and is not on the disk"
      case .refusal, .failure(.resourceTemporarilyUnavailable):
        return found == old ? nil : "\(name): refused, and changed"
      default: return found == old || found == new ? nil : "\(name): neither old nor new"
      }
    }
  }

  /// As above, for a write that may have been cancelled in its middle.
  static func writes(_ name: String, old: [UInt8], new: [UInt8]) -> Check {
    { folder, outcome in
      guard case .failure(.canceled) = outcome.kind else {
        return try replaces(name, old: old, new: new)(folder, outcome)
      }
      let found = try folder.contents(of: name)
      let isEither = found.indices.allSatisfy { index in
        index < old.count && found[index] == old[index]
          || index < new.count && found[index] == new[index]
      }
      return isEither && found.count >= old.count && found.count <= max(old.count, new.count)
        ? nil : "\(name): bytes that were never written"
    }
  }

  /// What was written from front to back: all of it where the call succeeded, and no hole.
  static func appends(_ name: String, _ new: [UInt8]) -> Check {
    { folder, outcome in
      let found = try folder.contents(of: name)
      if outcome.kind == .value {
        return found == new ? nil : "\(name): reported done, and is not on the disk"
      }
      return new.starts(with: found) ? nil : "\(name): bytes that were never written"
    }
  }

  /// A name that comes where the call succeeds, and one that goes.
  static func moves(_ former: String?, to latter: String?) -> Check {
    { folder, outcome in
      let isFormerThere = former.map { exists(folder, $0) }
      let isLatterThere = latter.map { exists(folder, $0) }
      let isDone = isFormerThere != true && isLatterThere != false
      let isUndone = isFormerThere != false && isLatterThere != true
      switch outcome.kind {
      case .value: return isDone ? nil : "the names were reported changed, and are not"
      case .refusal, .failure(.resourceTemporarilyUnavailable):
        return isUndone ? nil : "the names were changed by a refused call"
      default: return isDone || isUndone ? nil : "the names are between old and new"
      }
    }
  }

  /// A name that comes where the call succeeds, and stays otherwise where it was.
  static func adds(_ name: String) -> Check { moves(nil, to: name) }

  static func removes(_ name: String) -> Check { moves(name, to: nil) }

  /// A file's size, where the call succeeded.
  static func resizes(_ name: String, to byteCount: Int) -> Check {
    { folder, outcome in
      guard outcome.kind == .value else { return nil }
      return try folder.contents(of: name).count == byteCount ? nil : "\(name): has another size"
    }
  }

  /// Names of temporary files that were left behind.
  static func leftOvers(in folder: TemporaryDirectory) throws -> String? {
    let names = try FileManager.default.contentsOfDirectory(atPath: folder.path.string)
    let hidden = names.filter { $0.hasPrefix(".") }
    return hidden.isEmpty ? nil : "left behind: \(hidden)"
  }

  private static func exists(_ folder: TemporaryDirectory, _ name: String) -> Bool {
    unsafe access(folder.path.appending(name).string, F_OK) == 0
  }
}
