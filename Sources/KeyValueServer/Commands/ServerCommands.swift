/// The commands on the connection and the server.
enum ServerCommands {
  static let all: [Command] = [
    .read("ping", -1) { call throws(CommandError) in
      switch call.argumentCount {
      case 1: call.reply.status("PONG")
      case 2: call.reply.bulk(call.arguments[1])
      default: throw Command.wrongCount("ping")
      }
    },
    .read("echo", 2) { call throws(CommandError) in call.reply.bulk(call.arguments[1]) },
    .read("select", 2) { call throws(CommandError) in
      guard try call.integer(1) == 0 else { throw CommandError("ERR DB index is out of range") }
      call.reply.ok()
    },
    .read("auth", -2, needsNoPassword: true) { call throws(CommandError) in
      try Authentication.authenticate(call)
    },
    .read("quit", -1, needsNoPassword: true) { call throws(CommandError) in
      call.reply.ok()
      call.effect = .closing
    },
    .read("shutdown", -1) { call throws(CommandError) in
      // Like Redis, sends no reply: the connection ends.
      let modes = call.arguments.dropFirst().map { $0.uppercased.text }
      guard modes.allSatisfy({ ["SAVE", "NOSAVE", "NOW", "FORCE"].contains($0) }) else {
        throw .syntax
      }
      call.effect = .shuttingDown
    },
    .read("bgrewriteaof", 1) { call throws(CommandError) in
      try call.server.log.startRewrite()
      call.reply.status("Background append only file rewriting started")
    },
    .read("info", -1) { call throws(CommandError) in
      call.reply.bulk(call.server.information(sections: call.arguments.dropFirst()).utf8)
    },
    .read("config", -2) { call throws(CommandError) in try configuration(call) },
    .read("client", -2) { call throws(CommandError) in try client(call) },
    .read("command", -1) { call throws(CommandError) in describeCommands(call) },
  ]

  private static func configuration(_ call: Call) throws(CommandError) {
    let subcommand = call.arguments[1].uppercased.text
    guard subcommand == "GET" else { throw unknownSubcommand(call) }
    guard call.argumentCount >= 3 else { throw Command.wrongCount("config|get") }
    let patterns = call.arguments.dropFirst(2).map { GlobPattern($0) }
    let found = call.server.settings.filter { setting in
      patterns.contains { $0.matches(Bytes(setting.name.utf8)) }
    }
    call.reply.array(count: 2 * found.count)
    for (name, value) in found {
      call.reply.bulk(name.utf8)
      call.reply.bulk(value.utf8)
    }
  }

  /// Accepts what client libraries send to introduce themselves, without storing it.
  private static func client(_ call: Call) throws(CommandError) {
    switch (call.arguments[1].uppercased.text, call.argumentCount) {
    case ("SETNAME", 3), ("SETINFO", 4): call.reply.ok()
    case ("GETNAME", 2): call.reply.null()
    default: throw unknownSubcommand(call)
    }
  }

  private static func unknownSubcommand(_ call: Call) -> CommandError {
    let name = Bytes(call.arguments[1].prefix(128)).text
    let command = call.arguments[0].uppercased.text
    return CommandError("ERR unknown subcommand '\(name)'. Try \(command) HELP.")
  }

  private static func describeCommands(_ call: Call) {
    switch call.argumentCount > 1 ? call.arguments[1].uppercased.text : "" {
    case "":
      call.reply.array(count: Command.all.count)
      for command in Command.all { describe(command, &call.reply) }
    case "COUNT": call.reply.integer(Command.all.count)
    // redis-cli asks for its help texts; there are none.
    default: call.reply.array(count: 0)
    }
  }

  private static func describe(_ command: Command, _ reply: inout Reply) {
    reply.array(count: 6)
    reply.bulk(command.name.utf8)
    reply.integer(command.arity)
    reply.array(count: 1)
    reply.status(command.isWrite ? "write" : "readonly")
    // First key, last key and step, which only cluster clients need.
    for _ in 0..<3 { reply.integer(0) }
  }
}
