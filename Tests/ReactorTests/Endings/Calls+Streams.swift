import PosixAIO
import Reactor
import SystemPackage
import TestSupport

extension CallTable {
  /// Readers and their sequences.
  mutating func addReaders() {
    add("FileReader.next", .steps, on: { try $0.fileReader() }) { reader, reply in
      reader.next { reply.ended($0) }
    } awaited: { reader in
      guard let chunk = try await reader.next(), chunk.count == 1000 else { throw WrongValue() }
    }
    add(
      "File.chunks", .steps, on: { try $0.file() },
      awaited: { file in
        var byteCount = 0
        for try await chunk in file.chunks() { byteCount += chunk.byteCount }
        guard byteCount == Site.old.count else { throw WrongValue() }
      })
    add("LineReader.next", .steps, on: { try $0.lineReader() }) { reader, reply in
      reader.next { reply.ended($0) { $0 == Array("first".utf8) } }
    } awaited: { reader in
      guard try await reader.next() == Array("first".utf8) else { throw WrongValue() }
    }
    add(
      "File.lines", .steps, on: { try $0.file() },
      awaited: { file in
        for try await _ in file.lines() {}
      })
  }

  /// A writer of a new file.
  mutating func addWriters() {
    let isWritten = Call.appends("written", Site.new)
    add("FileWriter.flush", .steps, on: { try $0.writer() }) { writer, reply in
      try writer.write(Site.new)
      writer.flush { reply.ended($0) }
    } awaited: { writer in
      try await writer.write(Site.new)
      try await writer.flush()
    } check: {
      try isWritten($0, $1)
    }
    add("FileWriter.flush(durably)", .steps, on: { try $0.writer() }) { writer, reply in
      try writer.write(Site.new)
      writer.flush(durably: true) { reply.ended($0) }
    } awaited: { writer in
      try await writer.write(Site.new)
      try await writer.flush(durably: true)
    } check: {
      try isWritten($0, $1)
    }
    add("FileWriter.close", .steps, on: { try $0.writer() }) { writer, reply in
      try writer.write(Site.new)
      writer.close(durably: true) { reply.ended($0) }
    } awaited: { writer in
      try await writer.write(Site.new)
      try await writer.close(durably: true)
    } check: {
      try isWritten($0, $1)
    }
    addWriterWaits()
  }

  private mutating func addWriterWaits() {
    add("FileWriter.waitForRoom", .steps, on: { try $0.writer() }) { writer, reply in
      try writer.write(Site.new)
      writer.waitForRoom(1000) { reply.ended($0) }
    } awaited: { writer in
      try await writer.write(Site.new)
      // Waits for room, and its bytes stay in the buffer.
      try await writer.write(Site.old[..<1])
    } check: { folder, outcome in
      let check = Call.appends("written", Site.new + Site.old[..<1])
      return try check(folder, Outcome(kind: .failure(.canceled), error: outcome.error))
    }
    let traits = Call.Traits(room: .other)
    add(
      "FileWriter.reopen", traits,
      on: { site in (try site.writer(), site.path("second")) }
    ) { pair, reply in
      try pair.0.write(Site.new)
      pair.0.reopen(pair.1) { reply.ended($0) }
    } awaited: { pair in
      try await pair.0.write(Site.new)
      try await pair.0.reopen(pair.1)
    } check: { folder, outcome in
      if let complaint = try Call.appends("written", Site.new)(folder, outcome) {
        return complaint
      }
      return outcome.kind == .value ? try Call.adds("second")(folder, outcome) : nil
    }
  }

  /// Bytes between files and connections.
  mutating func addPumps() {
    add("File.send(to:)", .socket, on: { try $0.fileAndQuietConnection() }) { pair, reply in
      // Held by its loop as long as it is open.
      weak let connection = pair.connection
      pair.file.send(to: pair.connection) { result in
        reply.ended(result) { $0 == Site.old.count }
        connection?.abort()
      }
    } awaited: { pair in
      defer { pair.connection.abort() }
      try await pair.file.send(to: pair.connection)
    }
    let written = Call.writes("file", old: Site.old, new: Site.new)
    add("File.receive(from:)", .socket, on: { try $0.fileAndTalkedToConnection() }) {
      pair, reply in
      weak let connection = pair.connection
      pair.file.receive(from: pair.connection, durably: true) { result in
        reply.ended(result) { $0 == Site.new.count }
        connection?.abort()
      }
    } awaited: { pair in
      defer { pair.connection.abort() }
      try await pair.file.receive(from: pair.connection, durably: true)
    } check: {
      try written($0, $1)
    }
    add("File.receive(from:)(quiet)", .waitingSocket, on: { try $0.fileAndQuietConnection() }) {
      pair, reply in
      pair.file.receive(from: pair.connection) { reply.ended($0) }
    } awaited: { pair in
      defer { pair.connection.abort() }
      try await pair.file.receive(from: pair.connection)
    }
  }
}
