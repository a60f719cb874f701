import PosixAIO
import Reactor
import SystemPackage
import TestSupport

extension CallTable {
  /// What the loop itself accepts, and files of its queue.
  mutating func addLoopCalls() {
    let offload = Call.Traits(room: .helpers, awaitedKeepsLoop: true)
    add("offload", offload, on: { try $0.anywhere() }) { place, reply in
      place.loop.offload({ 7 }, { reply.ended($0) { $0 == 7 } })
    } awaited: { place in
      // A task that waits for a callback: the end of the loop calls that, and so ends the task.
      let result = await unsafe withUnsafeContinuation { continuation in
        place.loop.offload({ 7 }, { unsafe continuation.resume(returning: $0) })
      }
      _ = try result.get()
    }
    let silent = Call.Traits(awaitedKeepsLoop: true, mayBeDropped: true)
    var remote = silent
    remote.keepsBase = false
    add("remote.execute", remote, on: { try $0.anywhere() }) { place, reply in
      guard place.loop.remote.execute({ _ in reply.ended() }) else { throw Errno.canceled }
    }
    add("nextTurn", silent, on: { try $0.anywhere() }) { place, reply in
      guard place.loop.nextTurn({ reply.ended() }) else { throw Errno.canceled }
    }
    add("startTask", .steps, on: { _ in }, awaited: {})
    add(
      "Task.yield", .steps, on: { _ in },
      awaited: { for _ in 0..<10 { await Task.yield() } })
    let sleeping = Call.Traits(atClose: .isCut)
    add(
      "Task.sleep", sleeping, on: { _ in },
      awaited: { try await Task.sleep(for: .milliseconds(1)) })
    let asleep = Call.Traits(end: .never, atClose: .isCut)
    add(
      "Task.sleep(for ever)", asleep, on: { _ in },
      awaited: { try await Task.sleep(for: .seconds(3600)) })
  }

  /// Files of the loop's completion queue.
  mutating func addQueue() {
    add("AIOFile.read", .transfer, on: { try $0.queuedFile() }) { file, reply in
      try file.read(into: IOBuffer(capacity: 4096), at: 0) { result, buffer in
        reply.ended(result, buffer) { $0 == Site.old }
      }
    }
    let written = Call.writes("file", old: Site.old, new: Site.new)
    add("AIOFile.write", .transfer, on: { try $0.queuedFile() }) { file, reply in
      try file.write(IOBuffer(copying: Site.new), at: 0) { result, _ in reply.ended(result) }
    } check: {
      try written($0, $1)
    }
    add("AIOFile.sync", .request, on: { try $0.queuedFile() }) { file, reply in
      try file.sync { reply.ended($0) }
    }
    add("AIOFile.close", .steps, on: { try $0.queuedFile() }) { file, reply in
      file.close { reply.ended($0) }
    }
    let pipe = Call.Traits(end: .whenLet, room: .bytes, isRefusedAfterEnd: true)
    add("AIOFile.read(empty pipe)", pipe, on: { try $0.emptyPipe() }) { file, reply in
      try file.read(into: IOBuffer(capacity: 1), at: 0) { result, _ in reply.ended(result) }
    }
  }
}
