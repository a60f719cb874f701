import Reactor

/// The subcommands of CLIENT.
enum ClientCommands {
  static let all = Subcommands(
    command: "client",
    entries: [
      (
        "ID", 2,
        { call throws(CommandError) in
          call.reply.integer(call.client?.session.id ?? 0)
        }
      ),
      (
        "GETNAME", 2,
        { call throws(CommandError) in
          let name = call.client?.session.name ?? []
          call.reply.bulk(ifAny: name.isEmpty ? nil : name)
        }
      ),
      (
        "SETNAME", 3,
        { call throws(CommandError) in
          let name = call.arguments[2]
          try check(name, "Client names")
          call.change { $0.name = name }
          call.reply.ok()
        }
      ),
      ("SETINFO", 4, { call throws(CommandError) in try setInformation(call) }),
      (
        "INFO", 2,
        { call throws(CommandError) in
          call.reply.verbatim(call.client.map { describe($0, call) } ?? "")
        }
      ),
      ("LIST", -2, { call throws(CommandError) in try list(call) }),
      ("KILL", -3, { call throws(CommandError) in try kill(call) }),
      (
        "NO-EVICT", 3,
        { call throws(CommandError) in
          let isOn = try onOrOff(call, 2)
          call.change { $0.isNeverEvicted = isOn }
          call.reply.ok()
        }
      ),
      // There is no record of when a key was last used, so there is nothing to leave out.
      (
        "NO-TOUCH", 3,
        { call throws(CommandError) in
          _ = try onOrOff(call, 2)
          call.reply.ok()
        }
      ),
      Subcommands.help(
        "CLIENT",
        [
          "GETNAME", "ID", "INFO", "KILL", "LIST", "NO-EVICT (ON|OFF)", "NO-TOUCH (ON|OFF)",
          "SETINFO (LIB-NAME|LIB-VER) value", "SETNAME name",
        ]),
    ])

  /// - Parameter what: The subject of the error.
  static func check(_ name: Bytes, _ what: String) throws(CommandError) {
    let printable = UInt8(ascii: "!")...UInt8(ascii: "~")
    guard name.allSatisfy({ printable.contains($0) }) else {
      throw CommandError("ERR \(what) cannot contain spaces, newlines or special characters.")
    }
  }

  private static func onOrOff(_ call: Call, _ index: Int) throws(CommandError) -> Bool {
    switch call.word(index) {
    case "ON": return true
    case "OFF": return false
    default: throw .syntax
    }
  }

  private static func setInformation(_ call: Call) throws(CommandError) {
    let value = call.arguments[3]
    switch call.word(2) {
    case "LIB-NAME":
      try check(value, "lib-name")
      call.change { $0.libraryName = value }
    case "LIB-VER":
      try check(value, "lib-ver")
      call.change { $0.libraryVersion = value }
    default: throw CommandError("ERR Unrecognized option '\(call.arguments[2].text)'")
    }
    call.reply.ok()
  }

  // MARK: - Lists

  /// All open clients, the oldest first.
  private static func clients(_ call: Call) -> [Client] {
    call.server.clients.values.filter { !$0.isClosed }
      .sorted { $0.session.id < $1.session.id }
  }

  private static func list(_ call: Call) throws(CommandError) {
    var wanted: Set<Int>?
    var isNormal = true
    switch (call.argumentCount, call.argumentCount > 2 ? call.word(2) : "") {
    case (2, _): break
    case (4, "TYPE"): isNormal = try isNormalType(call.arguments[3])
    case (4..., "ID"):
      var identifiers: Set<Int> = []
      for index in 3..<call.argumentCount {
        guard let number = call.arguments[index].integer else {
          throw CommandError("ERR Invalid client ID")
        }
        identifiers.insert(Int(number))
      }
      wanted = identifiers
    default: throw .syntax
    }
    let shown = clients(call).filter { isNormal && wanted?.contains($0.session.id) ?? true }
    call.reply.verbatim(shown.map { describe($0, call) }.joined())
    try call.checkReply()
  }

  /// Every client of this server is a normal one; the other types of Redis do not exist.
  private static func isNormalType(_ type: Bytes) throws(CommandError) -> Bool {
    switch type.uppercased.text {
    case "NORMAL": return true
    case "MASTER", "REPLICA", "SLAVE", "PUBSUB": return false
    default: throw CommandError("ERR Unknown client type '\(type.text)'")
    }
  }

  private static func describe(_ client: Client, _ call: Call) -> String {
    let session = client.session
    let now = call.database.now.milliseconds
    let address = call.server.listener.map { "\($0.address)" } ?? ""
    let command =
      client === call.client
      ? "client|\(call.word(1).lowercased())"
      : session.lastCommand
    let fields: [(String, Any)] = [
      ("id", session.id), ("addr", client.connection.peerAddress), ("laddr", address),
      ("name", session.name.text), ("age", (now - session.start.milliseconds) / 1000),
      ("idle", (now - session.lastRequest.milliseconds) / 1000),
      ("flags", flags(of: session)), ("db", 0), ("sub", 0), ("psub", 0), ("ssub", 0),
      ("multi", session.transaction?.commands.count ?? -1),
      ("watch", session.watchedVersions.count), ("qbuf", client.incompleteByteCount),
      ("omem", client.unreadByteCount), ("tot-mem", client.memoryByteCount), ("cmd", command),
      ("user", "default"), ("redir", -1), ("resp", session.isRESP3 ? 3 : 2),
      ("lib-name", session.libraryName.text), ("lib-ver", session.libraryVersion.text),
    ]
    return fields.map { "\($0.0)=\($0.1)" }.joined(separator: " ") + "\n"
  }

  private static func flags(of session: Session) -> String {
    let flags = (session.transaction == nil ? "" : "x") + (session.isNeverEvicted ? "e" : "")
    return flags.isEmpty ? "N" : flags
  }

  // MARK: - Kill

  /// Runs CLIENT KILL with an address, or with filters that a client must all match.
  private static func kill(_ call: Call) throws(CommandError) {
    if call.argumentCount == 3 {
      let address = call.arguments[2].text
      let found = clients(call).filter { "\($0.connection.peerAddress)" == address }
      guard !found.isEmpty else { throw CommandError("ERR No such client") }
      close(found, call)
      return call.reply.ok()
    }
    guard call.argumentCount % 2 == 0 else { throw .syntax }
    var found = clients(call)
    var skipsOwn = true
    for index in stride(from: 2, to: call.argumentCount, by: 2) {
      let value = call.arguments[index + 1]
      switch (call.word(index), value.uppercased.text) {
      case ("SKIPME", "YES"): skipsOwn = true
      case ("SKIPME", "NO"): skipsOwn = false
      default: try filter(&found, call.word(index), value, call)
      }
    }
    if skipsOwn { found.removeAll { $0 === call.client } }
    close(found, call)
    call.reply.integer(found.count)
  }

  private static func filter(
    _ found: inout [Client], _ name: String, _ value: Bytes, _ call: Call
  ) throws(CommandError) {
    switch name {
    case "ID":
      guard let number = value.integer, number > 0 else {
        throw CommandError("ERR client-id should be greater than 0")
      }
      found.removeAll { $0.session.id != Int(number) }
    case "ADDR": found.removeAll { "\($0.connection.peerAddress)" != value.text }
    case "LADDR":
      if call.server.listener.map({ "\($0.address)" }) != value.text { found = [] }
    case "TYPE": if try !isNormalType(value) { found = [] }
    case "USER":
      guard value == Authentication.userName else {
        throw CommandError("ERR No such user '\(value.text)'")
      }
    default: throw .syntax
    }
  }

  private static func close(_ clients: [Client], _ call: Call) {
    for client in clients {
      // Its reply is sent first.
      if client === call.client { call.effect = .closing } else { client.close() }
    }
  }
}
