import Glibc

/// The commands on the server.
enum ServerCommands {
  static let all: [Command] = [
    .read("shutdown", -1, transaction: .none, "Ends the server.") { call throws(CommandError) in
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
    .read("time", 1, "Returns the seconds since 1970, and microseconds.") {
      call throws(CommandError) in replyTime(call)
    },
    // Without replicas, none can confirm a change.
    .read("wait", 3, "Returns the number of replicas, which is 0.") { call throws(CommandError) in
      _ = try call.integer(1)
      guard let timeout = call.arguments[2].integer else {
        throw CommandError("ERR timeout is not an integer or out of range")
      }
      guard timeout >= 0 else { throw CommandError("ERR timeout is negative") }
      call.reply.integer(0)
    },
    .read("command", -1, "Describes the commands.") { call throws(CommandError) in
      guard call.argumentCount > 1 else { return CommandCommands.describeAll(call) }
      try CommandCommands.all.run(call)
    },
  ]

  private static func replyTime(_ call: Call) {
    var time = timespec()
    unsafe clock_gettime(CLOCK_REALTIME, &time)
    call.reply.array(count: 2)
    for number in [time.tv_sec, time.tv_nsec / 1000] { call.reply.bulk("\(number)".utf8) }
  }

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
