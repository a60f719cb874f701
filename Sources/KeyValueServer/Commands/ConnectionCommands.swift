/// The commands on the client's own connection.
enum ConnectionCommands {
  static let all: [Command] = [
    .read("ping", -1, "Returns PONG, or its argument.") { call throws(CommandError) in
      switch call.argumentCount {
      case 1: call.reply.status("PONG")
      case 2: call.reply.bulk(call.arguments[1])
      default: throw Command.wrongCount("ping")
      }
    },
    .read("echo", 2, "Returns its argument.") { call throws(CommandError) in
      call.reply.bulk(call.arguments[1])
    },
    .read("select", 2, "Selects the database, which must be 0.") { call throws(CommandError) in
      guard try call.integer(1) == 0 else { throw .noSuchDatabase }
      call.reply.ok()
    },
    .read("auth", -2, needsNoPassword: true, "Gives the password.") {
      call throws(CommandError) in try Authentication.authenticate(call)
    },
    .read("hello", -1, needsNoPassword: true, "Selects RESP2 or RESP3, and gives the password.") {
      call throws(CommandError) in try hello(call)
    },
    .read(
      "reset", 1, needsNoPassword: true, transaction: .immediate,
      "Resets the connection's settings."
    ) {
      call throws(CommandError) in
      TransactionCommands.unwatch(call)
      call.change { [isAuthenticated = call.server.password == nil] in
        $0.reset(isAuthenticated: isAuthenticated)
      }
      call.reply.status("RESET")
    },
    .read("quit", -1, needsNoPassword: true, transaction: .immediate, "Closes the connection.") {
      call throws(CommandError) in
      call.reply.ok()
      call.effect = .closing
    },
    .read("client", -2, "Shows and changes connections.") { call throws(CommandError) in
      try ClientCommands.all.run(call)
    },
  ]

  private static func hello(_ call: Call) throws(CommandError) {
    var isRESP3: Bool?
    var name: Bytes?
    if call.argumentCount > 1 {
      guard let version = call.arguments[1].integer else {
        throw CommandError("ERR Protocol version is not an integer or out of range")
      }
      guard (2...3).contains(version) else {
        throw CommandError("NOPROTO unsupported protocol version")
      }
      isRESP3 = version == 3
    }
    var index = 2
    while index < call.argumentCount {
      switch (call.word(index), call.argumentCount - index - 1) {
      case ("AUTH", 2...):
        try Authentication.authenticate(
          call, user: call.arguments[index + 1], password: call.arguments[index + 2])
        index += 3
      case ("SETNAME", 1...):
        name = call.arguments[index + 1]
        try ClientCommands.check(call.arguments[index + 1], "Client names")
        index += 2
      default:
        throw CommandError("ERR Syntax error in HELLO option '\(call.arguments[index].text)'")
      }
    }
    guard call.client?.session.isAuthenticated ?? true else { throw Authentication.needed }
    call.change {
      if let isRESP3 { $0.isRESP3 = isRESP3 }
      if let name { $0.name = name }
    }
    replyGreeting(call)
  }

  private static func replyGreeting(_ call: Call) {
    let texts: [(String, String)] = [
      ("server", "redis"), ("version", Server.redisVersion), ("mode", "standalone"),
      ("role", "master"),
    ]
    call.reply.map(count: texts.count + 3)
    for (name, text) in texts {
      call.reply.bulk(name.utf8)
      call.reply.bulk(text.utf8)
    }
    call.reply.bulk("proto".utf8)
    call.reply.integer(call.reply.isRESP3 ? 3 : 2)
    call.reply.bulk("id".utf8)
    call.reply.integer(call.client?.session.id ?? 0)
    call.reply.bulk("modules".utf8)
    call.reply.array(count: 0)
  }
}
