/// What a client is told instead of an answer.
struct CommandError: Error {
  let text: String

  init(_ text: String) {
    self.text = text
  }

  static let syntax = CommandError("ERR syntax error")
  static let notAnInteger = CommandError("ERR value is not an integer or out of range")
  static let tooLong = CommandError("ERR string exceeds maximum allowed size (proto-max-bulk-len)")
}

/// What is to be done once a command has been answered.
enum Effect {
  case none
  /// The client has said good-bye.
  case closing
  case shuttingDown
}

/// A command that is being run.
final class Call {
  let database: Database
  unowned let server: Server

  /// The command's name and what follows it.
  fileprivate(set) var arguments: [Bytes] = []
  fileprivate(set) var view = Database.View.newest
  var reply = Reply()
  var effect = Effect.none

  init(_ database: Database, _ server: Server) {
    self.database = database
    self.server = server
  }

  /// Runs a command, whose answer is in ``reply`` then.
  ///
  /// - Parameter view: What it reads, unless it writes: writes build on what is newest.
  func run(_ arguments: [Bytes], _ view: Database.View) {
    self.arguments = arguments
    effect = .none
    database.standing = .settled
    reply.removeAll()
    do throws(CommandError) {
      let command = try Command.named(arguments)
      if command.isWrite, let reason = server.log.refusal { throw CommandError(reason) }
      self.view = command.isWrite ? .newest : view
      try command.body(self)
    } catch {
      reply.removeAll()
      reply.error(error.text)
    }
  }

  var argumentCount: Int { arguments.count }

  func key(_ index: Int) -> Key { Key(arguments[index]) }

  func integer(_ index: Int) throws(CommandError) -> Int64 {
    guard let number = arguments[index].integer else { throw .notAnInteger }
    return number
  }

  func read(_ key: Key) -> Value? { database.read(key, view) }

  /// Traps an answer before it takes more memory than a client is allowed to have waiting.
  func checkReply() throws(CommandError) {
    guard reply.byteCount <= Server.answerByteLimit else {
      throw CommandError("ERR the answer would be larger than \(Server.answerByteLimit) bytes")
    }
  }
}

/// A command that clients can send.
struct Command: Sendable {
  typealias Body = @Sendable (Call) throws(CommandError) -> Void

  let name: String
  /// The number of words, the name among them; below zero, so many or more.
  let arity: Int
  let isWrite: Bool
  let body: Body

  static func read(_ name: String, _ arity: Int, _ body: @escaping Body) -> Command {
    Command(name: name, arity: arity, isWrite: false, body: body)
  }

  static func write(_ name: String, _ arity: Int, _ body: @escaping Body) -> Command {
    Command(name: name, arity: arity, isWrite: true, body: body)
  }

  static let all = StringCommands.all + KeyCommands.all + ServerCommands.all

  private static let byName = Dictionary(
    uniqueKeysWithValues: all.map { (Key(Bytes($0.name.utf8).uppercased), $0) })

  static func named(_ arguments: [Bytes]) throws(CommandError) -> Command {
    guard let command = byName[Key(arguments[0].uppercased)] else {
      throw unknown(arguments)
    }
    let fits =
      command.arity < 0
      ? arguments.count >= -command.arity : arguments.count == command.arity
    guard fits else { throw wrongCount(command.name) }
    return command
  }

  static func wrongCount(_ name: String) -> CommandError {
    CommandError("ERR wrong number of arguments for '\(name)' command")
  }

  /// As much of an unknown command as is told back, in bytes.
  private static let quotedByteCount = 128

  private static func unknown(_ arguments: [Bytes]) -> CommandError {
    var text = ""
    for argument in arguments.dropFirst() where text.utf8.count < quotedByteCount {
      text += "'\(Bytes(argument.prefix(quotedByteCount - text.utf8.count)).text)' "
    }
    let name = Bytes(arguments[0].prefix(quotedByteCount)).text
    return CommandError("ERR unknown command '\(name)', with args beginning with: \(text)")
  }
}
