import PosixAIO
import Reactor
import SystemPackage
import TestSupport

extension CallTable {
  /// Reads, writes and syncs of an open file, and opening and closing it.
  mutating func addFiles() {
    add("File.open", .anywhereCall, on: { try $0.anywhere() }) { place, reply in
      File.open(place.path("file"), .readWrite, on: place.loop) { reply.ended($0) }
    } awaited: { place in
      _ = try await File.open(place.path("file"), .readWrite, on: place.loop)
    }
    add("File.close", .steps, on: { try $0.file() }) { file, reply in
      file.close { reply.ended($0) }
    } awaited: { file in
      try await file.close()
    }
    addReads()
    addWrites()
    addSyncs()
  }

  private mutating func addReads() {
    add("File.read", .transfer, on: { try $0.file() }) { file, reply in
      file.read(into: IOBuffer(capacity: 4096), at: 0) { result, buffer in
        reply.ended(result, buffer) { $0 == Site.old }
      }
    } awaited: { file in
      let buffer = try await file.read(into: IOBuffer(capacity: 4096), at: 0)
      guard Array(buffer) == Site.old else { throw WrongValue() }
    }
    add("File.read(vector)", .transfer, on: { try $0.file() }) { file, reply in
      file.read(into: emptyVector(), at: 0) { result, vector in
        reply.ended(result) { $0 == 2000 && vector.byteCount == 2000 }
      }
    } awaited: { file in
      let vector = try await file.read(into: emptyVector(), at: 0)
      guard vector.byteCount == 2000 else { throw WrongValue() }
    }
  }

  private mutating func addWrites() {
    let written = Call.writes("file", old: Site.old, new: Site.new)
    add("File.write", .transfer, on: { try $0.file() }) { file, reply in
      file.write(IOBuffer(copying: Site.new), at: 0) { result, buffer in
        reply.ended(result, buffer) { $0 == Site.new }
      }
    } awaited: { file in
      try await file.write(IOBuffer(copying: Site.new), at: 0)
    } check: {
      try written($0, $1)
    }
    add("File.write(vector)", .transfer, on: { try $0.file() }) { file, reply in
      file.write(fullVector(), at: 0) { result, _ in
        reply.ended(result) { $0 == Site.new.count }
      }
    } awaited: { file in
      try await file.write(fullVector(), at: 0)
    } check: {
      try written($0, $1)
    }
    let appended = Call.writes("file", old: Site.old, new: Site.old + Site.new)
    add("File.append", .transfer, on: { try $0.appendedFile() }) { file, reply in
      file.append(IOBuffer(copying: Site.new)) { result, _ in reply.ended(result) }
    } awaited: { file in
      try await file.append(IOBuffer(copying: Site.new))
    } check: {
      try appended($0, $1)
    }
  }

  private mutating func addSyncs() {
    add("File.sync", .request, on: { try $0.file() }) { file, reply in
      file.sync { reply.ended($0) }
    } awaited: { file in
      try await file.sync()
    }
    add("File.dataSync", .request, on: { try $0.file() }) { file, reply in
      file.dataSync { reply.ended($0) }
    } awaited: { file in
      try await file.dataSync()
    }
    // The write's own handler captures nothing. What the sync promises is checked.
    let written = Call.writes("file", old: Site.old, new: Site.new)
    add("File.write+sync", .transfer, on: { try $0.file() }) { file, reply in
      file.write(IOBuffer(copying: Site.new), at: 0) { _, _ in }
      file.sync { reply.ended($0) }
    } awaited: { file in
      try await file.write(IOBuffer(copying: Site.new), at: 0)
      try await file.sync()
    } check: { folder, outcome in
      // The write was accepted, or the sync that was refused came after one that was.
      guard outcome.kind == .value else { return nil }
      return try written(folder, outcome)
    }
  }
}

private func emptyVector() -> IOVector {
  var vector = IOVector()
  vector.append(IOBuffer(capacity: 500))
  vector.append(IOBuffer(capacity: 1500))
  return vector
}

private func fullVector() -> IOVector {
  var vector = IOVector()
  vector.append(IOBuffer(copying: Site.new[..<1000]))
  vector.append(IOBuffer(copying: Site.new[1000...]))
  return vector
}
