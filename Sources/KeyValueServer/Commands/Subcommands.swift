/// The subcommands of a command, such as those of CLIENT.
struct Subcommands: Sendable {
  typealias Entry = (name: String, arity: Int, body: Command.Body)

  let command: String
  /// The arity counts the command's name and the subcommand's.
  let entries: [Entry]

  func run(_ call: Call) throws(CommandError) {
    let name = call.word(1)
    guard let entry = entries.first(where: { $0.name == name }) else {
      let shown = Bytes(call.arguments[1].prefix(128)).text
      throw CommandError(
        "ERR unknown subcommand '\(shown)'. Try \(command.uppercased()) HELP.")
    }
    let fits =
      entry.arity < 0 ? call.argumentCount >= -entry.arity : call.argumentCount == entry.arity
    guard fits else { throw Command.wrongCount("\(command)|\(name.lowercased())") }
    try entry.body(call)
  }

  /// The subcommand that lists the others.
  static func help(_ command: String, _ names: [String]) -> Entry {
    (
      "HELP", 2,
      { call throws(CommandError) in
        call.reply.array(count: names.count + 1)
        call.reply.status("The subcommands are:")
        for name in names { call.reply.bulk("\(command) \(name)".utf8) }
      }
    )
  }
}
