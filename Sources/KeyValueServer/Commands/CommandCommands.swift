/// The subcommands of COMMAND.
enum CommandCommands {
  static let all = Subcommands(
    command: "command",
    entries: [
      ("COUNT", 2, { call throws(CommandError) in call.reply.integer(Command.all.count) }),
      ("DOCS", -2, { call throws(CommandError) in document(call) }),
      ("GETKEYS", -3, { call throws(CommandError) in try replyKeys(call) }),
      (
        "INFO", -2,
        { call throws(CommandError) in
          guard call.argumentCount > 2 else { return describeAll(call) }
          call.reply.array(count: call.argumentCount - 2)
          for name in call.arguments.dropFirst(2) {
            if let command = Command.find(name) {
              describe(command, &call.reply)
            } else {
              call.reply.nullArray()
            }
          }
        }
      ),
      ("LIST", -2, { call throws(CommandError) in try list(call) }),
      Subcommands.help(
        "COMMAND",
        [
          "COUNT", "DOCS [name …]", "GETKEYS command", "INFO [name …]",
          "LIST [FILTERBY PATTERN pattern]",
        ]),
    ])

  static func describeAll(_ call: Call) {
    call.reply.array(count: Command.all.count)
    for command in Command.all { describe(command, &call.reply) }
  }

  private static func describe(_ command: Command, _ reply: inout Reply) {
    reply.array(count: 10)
    reply.bulk(command.name.utf8)
    reply.integer(command.arity)
    let isOnKeys = command.keys.positions.first > 0
    reply.set(count: command.isWrite || isOnKeys ? 1 : 0)
    if command.isWrite { reply.status("write") } else if isOnKeys { reply.status("readonly") }
    let (first, last, step) = command.keys.positions
    for number in [first, last, step] { reply.integer(number) }
    // The categories of access control, tips, key specifications and subcommands.
    reply.set(count: 0)
    for _ in 0..<3 { reply.array(count: 0) }
  }

  private static func document(_ call: Call) {
    let names = call.arguments.dropFirst(2)
    let found = names.isEmpty ? Command.all : names.compactMap { Command.find($0) }
    call.reply.map(count: found.count)
    for command in found {
      call.reply.bulk(command.name.utf8)
      call.reply.map(count: 2)
      call.reply.bulk("summary".utf8)
      call.reply.bulk(command.summary.utf8)
      call.reply.bulk("group".utf8)
      call.reply.bulk((command.keys == .none ? "server" : "generic").utf8)
    }
  }

  private static func replyKeys(_ call: Call) throws(CommandError) {
    let words = Array(call.arguments.dropFirst(2))
    guard let command = Command.find(words[0]) else {
      throw CommandError("ERR Invalid command specified")
    }
    let (first, last, step) = command.keys.positions
    guard first > 0 else { throw CommandError("ERR The command has no key arguments") }
    guard command.accepts(count: words.count) else {
      throw CommandError("ERR Invalid number of arguments specified for command")
    }
    let end = last < 0 ? words.count + last : last
    let places = Array(stride(from: first, through: end, by: step))
    call.reply.array(count: places.count)
    for place in places { call.reply.bulk(words[place]) }
  }

  private static func list(_ call: Call) throws(CommandError) {
    var names = Command.all.map { Bytes($0.name.utf8) }
    if call.argumentCount > 2 {
      guard call.argumentCount == 5, call.word(2) == "FILTERBY" else { throw .syntax }
      switch call.word(3) {
      case "PATTERN":
        let pattern = GlobPattern(call.arguments[4].lowercased)
        names.removeAll { !pattern.matches($0) }
      // There are neither modules nor categories of access control.
      case "MODULE", "ACLCAT": names = []
      default: throw .syntax
      }
    }
    call.reply.array(count: names.count)
    for name in names { call.reply.bulk(name) }
  }
}
