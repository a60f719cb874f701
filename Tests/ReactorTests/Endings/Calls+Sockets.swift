import PosixAIO
import Reactor
import SystemPackage
import TestSupport

extension CallTable {
  /// Connects to addresses with a listener, and to one that does not reply.
  mutating func addConnects() {
    let connects = Call.Traits(atClose: .isCut, awaitedKeepsLoop: true)
    add("Connection.connect(address)", connects, on: { try $0.openTarget() }) { target, reply in
      Connection.connect(to: target.address, on: target.loop) { finish($0, reply) }
    } awaited: { target in
      try await Connection.connect(to: target.address, on: target.loop).abort()
    }
    for (kind, host) in [("numeric", "127.0.0.1"), ("name", "localhost")] {
      add("Connection.connect(\(kind))", connects, on: { try $0.openTarget() }) { target, reply in
        Connection.connect(to: host, port: target.address.port, on: target.loop) {
          finish($0, reply)
        }
      } awaited: { target in
        let port = target.address.port
        try await Connection.connect(to: host, port: port, on: target.loop).abort()
      }
    }
    let silent = Call.Traits(end: .never, atClose: .isCut, awaitedKeepsLoop: true)
    add("Connection.connect(silent)", silent, on: { try $0.silentTarget() }) {
      target, reply in
      Connection.connect(to: target.address, on: target.loop) { finish($0, reply) }
    } awaited: { target in
      try await Connection.connect(to: target.address, on: target.loop).abort()
    }
  }

  /// Connections and listeners.
  mutating func addConnections() {
    add(
      "Connection.read", .socket, on: { try $0.talkedToConnection() },
      awaited: { connection in
        defer { connection.abort() }
        guard try await connection.read() == Site.new else { throw WrongValue() }
      })
    add(
      "Connection.read(quiet)", .waitingSocket, on: { try $0.quietConnection() },
      awaited: { connection in
        defer { connection.abort() }
        _ = try await connection.read()
      })
    add(
      "Connection.read(buffer)", .waitingSocket, on: { try $0.quietConnection() },
      awaited: { connection in
        defer { connection.abort() }
        _ = try await connection.read(appendingTo: IOBuffer(capacity: 100))
      })
    add(
      "Connection.chunks", .socket, on: { try $0.talkedToConnection() },
      awaited: { connection in
        defer { connection.abort() }
        var bytes: [UInt8] = []
        for try await chunk in connection.chunks { bytes += chunk }
        guard bytes == Site.new else { throw WrongValue() }
      })
    addConnectionLines()
    addConnectionOutput()
    addConnectionEnds()
    addListeners()
  }

  private mutating func addConnectionLines() {
    let line = Array(Site.new.prefix { $0 != UInt8(ascii: "\n") })
    add(
      "Connection.readLine", .socket, on: { try $0.talkedToConnection() }
    ) { connection, reply in
      connection.readLine { result in
        reply.ended(result) { $0 == line }
        connection.abort()
      }
    } awaited: { connection in
      defer { connection.abort() }
      guard try await connection.readLine() == line else { throw WrongValue() }
    }
    add(
      "Connection.readLine(quiet)", .waitingSocket, on: { try $0.quietConnection() }
    ) { connection, reply in
      connection.readLine { result in
        reply.ended(result)
        connection.abort()
      }
    } awaited: { connection in
      defer { connection.abort() }
      _ = try await connection.readLine()
    }
    add(
      "Connection.lines", .socket, on: { try $0.talkedToConnection() },
      awaited: { connection in
        defer { connection.abort() }
        for try await _ in connection.lines() {}
      })
  }

  private mutating func addConnectionOutput() {
    addWritesThatAreTold()
    add(
      "Connection.write", .socket, on: { try $0.quietConnection() },
      awaited: { connection in
        defer { connection.abort() }
        try await connection.write(Site.new)
      })
    add(
      "Connection.write(congested)", .waitingSocket, on: { try $0.congestedConnection() },
      awaited: { connection in
        defer { connection.abort() }
        try await connection.write(IOBuffer(copying: Site.new))
      })
    add(
      "Connection.flush", .socket, on: { try $0.quietConnection() },
      awaited: { connection in
        defer { connection.abort() }
        try await connection.write(Site.new)
        try await connection.flush()
      })
    add(
      "Connection.flush(congested)", .waitingSocket, on: { try $0.congestedConnection() },
      awaited: { connection in
        defer { connection.abort() }
        try await connection.flush()
      })
  }

  /// Buffers that are given back, and ranges of files.
  private mutating func addWritesThatAreTold() {
    let sites: [(String, Call.Traits, (Site) throws -> Site.FileAndConnection)] = [
      ("", .write, { try $0.fileAndQuietConnection() }),
      ("(cold)", .write, { try $0.coldFileAndQuietConnection() }),
      ("(congested)", .waitingSocket, { try $0.fileAndCongestedConnection() }),
    ]
    for (kind, traits, subject) in sites {
      add("Connection.write(file)" + kind, traits, on: subject) { pair, reply in
        weak let connection = pair.connection
        pair.connection.write(pair.file, 0..<Int64(Site.old.count)) { result in
          reply.ended(result) { $0 == Site.old.count }
          connection?.abort()
        }
      }
      add("Connection.write(lent)" + kind, traits, on: subject) { pair, reply in
        weak let connection = pair.connection
        pair.connection.write(IOBuffer(copying: Site.new)) { outcome, buffer in
          let isRight = Array(buffer) == Site.new
          switch outcome {
          case .sent: isRight ? reply.ended() : reply.note(.failure(WrongValue()))
          case .connectionClosed: reply.note(.failure(Errno.canceled))
          case .refused(let errno): reply.note(.failure(errno))
          }
          connection?.abort()
        }
      }
    }
  }

  private mutating func addConnectionEnds() {
    let closing = Call.Traits(atClose: .isCut, endsByValue: true)
    add(
      "Connection.close", closing, on: { try $0.endedConnection() },
      awaited: { connection in await connection.close() })
    // Sends what is not taken for as long as the time-out allows.
    let waiting = Call.Traits(end: .never, atClose: .isCut, endsByValue: true)
    add(
      "Connection.close(congested)", waiting, on: { try $0.congestedConnection() },
      awaited: { connection in await connection.close() })
    add("Connection.onClose", closing, on: { try $0.endedConnection() }) { connection, reply in
      connection.onReceive = { _, bytes in bytes.byteCount }
      connection.onClose = { _, _ in reply.ended() }
    }
    add("Connection.onClose(quiet)", waiting, on: { try $0.quietConnection() }) {
      connection, reply in
      connection.onReceive = { _, bytes in bytes.byteCount }
      connection.onClose = { _, _ in reply.ended() }
    }
  }

  private mutating func addListeners() {
    let accepting = Call.Traits(atClose: .isCut, endsByValue: true)
    add(
      "Listener.connections", accepting, on: { try $0.calledListener() },
      awaited: { listener in
        defer { listener.close() }
        var clients = listener.connections.makeAsyncIterator()
        try await clients.next(isolation: nil)?.abort()
      })
    let waiting = Call.Traits(end: .never, atClose: .isCut, endsByValue: true)
    add(
      "Listener.connections(quiet)", waiting, on: { try $0.quietListener() },
      awaited: { listener in
        defer { listener.close() }
        var clients = listener.connections.makeAsyncIterator()
        try await clients.next(isolation: nil)?.abort()
      })
  }
}

private func finish(_ result: Result<Connection, SocketError>, _ reply: Reply) {
  reply.ended(result)
  if case .success(let connection) = result { connection.abort() }
}
