/// The commands on the server.
enum ServerCommands {
  static let all: [Command] = [
    .read("shutdown", -1, "Ends the server.") { call throws(CommandError) in
      // Like Redis, sends no reply: the connection ends.
      let modes = call.arguments.dropFirst().map { $0.uppercased.text }
      guard modes.allSatisfy({ ["SAVE", "NOSAVE", "NOW", "FORCE"].contains($0) }) else {
        throw .syntax
      }
      call.effect = .shuttingDown
    },
    .read("bgrewriteaof", 1, "Rewrites the log.") { call throws(CommandError) in
      try call.server.log.startRewrite()
      call.reply.status("Background append only file rewriting started")
    },
    .read("info", -1, "Returns statistics.") { call throws(CommandError) in
      call.reply.verbatim(call.server.information(sections: call.arguments.dropFirst()))
    },
    .read("config", -2, "Shows and changes settings.") { call throws(CommandError) in
      try configuration.run(call)
    },
    .read("command", -1, "Describes the commands.") { call throws(CommandError) in
      guard call.argumentCount > 1 else { return CommandCommands.describeAll(call) }
      try CommandCommands.all.run(call)
    },
  ]

  private static let configuration = Subcommands(
    command: "config",
    entries: [
      (
        "GET", -3,
        { call throws(CommandError) in
          let patterns = call.arguments.dropFirst(2).map { GlobPattern($0.lowercased) }
          let found = Setting.all.filter { setting in
            patterns.contains { $0.matches(Bytes(setting.name.utf8)) }
          }
          call.reply.map(count: found.count)
          for setting in found {
            call.reply.bulk(setting.name.utf8)
            call.reply.bulk(setting.value(call.server))
          }
        }
      ),
      (
        "SET", -4,
        { call throws(CommandError) in
          guard call.argumentCount % 2 == 0 else { throw Command.wrongCount("config|set") }
          try Setting.change(call)
          call.reply.ok()
        }
      ),
      (
        "RESETSTAT", 2,
        { call throws(CommandError) in
          call.server.statistics = Server.Statistics()
          call.reply.ok()
        }
      ),
      Subcommands.help("CONFIG", ["GET pattern", "RESETSTAT", "SET name value"]),
    ])
}
