import PosixAIO
import Reactor
import SystemPackage
import TestSupport

extension CallTable {
  /// What an open file is like, beside its bytes.
  mutating func addMetadata() {
    add("File.status", .fileCall, on: { try $0.file() }) { file, reply in
      file.status { reply.ended($0) { $0.byteCount == 3000 } }
    } awaited: { file in
      _ = try await file.status()
    }
    add("File.truncate", .fileCall, on: { try $0.file() }) { file, reply in
      file.truncate(to: 100) { reply.ended($0) }
    } awaited: { file in
      try await file.truncate(to: 100)
    } check: { folder, outcome in
      try Call.replaces("file", old: Site.old, new: Array(Site.old[..<100]))(folder, outcome)
    }
    add("File.setPermissions", .fileCall, on: { try $0.file() }) { file, reply in
      file.setPermissions(.ownerReadWrite) { reply.ended($0) }
    } awaited: { file in
      try await file.setPermissions(.ownerReadWrite)
    }
    add("File.setOwner", .fileCall, on: { try $0.file() }) { file, reply in
      file.setOwner { reply.ended($0) }
    } awaited: { file in
      try await file.setOwner()
    }
    add("File.setTimes", .fileCall, on: { try $0.file() }) { file, reply in
      file.setTimes(modified: .init(seconds: 1)) { reply.ended($0) }
    } awaited: { file in
      try await file.setTimes(modified: .init(seconds: 1))
    }
    add("File.allocate", .fileCall, on: { try $0.file() }) { file, reply in
      file.allocate(0..<8000) { reply.ended($0) }
    } awaited: { file in
      try await file.allocate(0..<8000)
    } check: { folder, outcome in
      try Call.resizes("file", to: 8000)(folder, outcome)
    }
    add("File.advise", .fileCall, on: { try $0.file() }) { file, reply in
      file.advise(.willNeed) { reply.ended($0) }
    } awaited: { file in
      try await file.advise(.willNeed)
    }
    add("File.startWriteBack", .fileCall, on: { try $0.file() }) { file, reply in
      file.startWriteBack { reply.ended($0) }
    } awaited: { file in
      try await file.startWriteBack()
    }
  }

  /// Locks, one of which another file has.
  mutating func addLocks() {
    add("File.tryLock", .fileCall, on: { try $0.file() }) { file, reply in
      file.tryLock(.exclusive) { reply.ended($0) { $0 } }
    } awaited: { file in
      guard try await file.tryLock(.exclusive) else { throw WrongValue() }
    }
    add("File.tryLock(taken)", .fileCall, on: { try $0.lockedFile(isReleased: false) }) {
      file, reply in
      file.tryLock(.exclusive) { reply.ended($0) { !$0 } }
    } awaited: { file in
      guard try await !file.tryLock(.exclusive) else { throw WrongValue() }
    }
    // Waits for a lock have a limit of their own, and are cut by a close.
    let free = Call.Traits(atClose: .isCut, isRefusedAfterEnd: true)
    add("File.lock", free, on: { try $0.file() }) { file, reply in
      file.lock(.exclusive) { reply.ended($0) }
    } awaited: { file in
      try await file.lock(.exclusive)
    }
    let waiting = Call.Traits(end: .whenLet, atClose: .isCut, isRefusedAfterEnd: true)
    add("File.lock(taken)", waiting, on: { try $0.lockedFile() }) { file, reply in
      file.lock(.exclusive) { reply.ended($0) }
    } awaited: { file in
      try await file.lock(.exclusive)
    }
    add("File.unlock", .fileCall, on: { try $0.file() }) { file, reply in
      file.unlock { reply.ended($0) }
    } awaited: { file in
      try await file.unlock()
    }
  }
}
