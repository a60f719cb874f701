import PosixAIO

/// An error reply.
struct CommandError: Error {
  let text: String

  init(_ text: String) {
    self.text = text
  }

  static let syntax = CommandError("ERR syntax error")
  static let notAnInteger = CommandError("ERR value is not an integer or out of range")
  static let noSuchDatabase = CommandError("ERR DB index is out of range")
  static let tooLong = CommandError("ERR string exceeds maximum allowed size (proto-max-bulk-len)")
}

/// What to do after a command's reply.
enum Effect {
  case none
  /// Close the client's connection.
  case closing
  /// Close it at once, without a reply: the request comes from an HTTP client.
  case rejecting
  case shuttingDown
}

/// The execution of a command.
final class Call {
  let database: Database
  unowned let server: Server
  /// The client whose requests run now.
  private(set) var client: Client?
  /// The name of the last command.
  private var commandName = ""

  /// The command's name and its arguments.
  fileprivate(set) var arguments: [Bytes] = []
  fileprivate(set) var view = Database.View.newest
  var reply = Reply()
  var effect = Effect.none

  init(_ database: Database, _ server: Server) {
    self.database = database
    self.server = server
  }

  /// The next requests are a client's.
  func begin(_ client: Client) {
    self.client = client
    commandName = client.session.lastCommand
    noteSession()
  }

  /// - Returns: The name of the client's last command.
  func end() -> String {
    client = nil
    return commandName
  }

  /// Changes the client's session.
  func change(_ body: (inout Session) -> Void) {
    guard let client else { return }
    body(&client.session)
    noteSession()
    client.limitRequests()
  }

  private func noteSession() {
    guard let client else { return }
    isAuthenticated = client.session.isAuthenticated
    isInTransaction = client.session.transaction != nil
    reply.isRESP3 = client.session.isRESP3
  }

  /// Runs a command. Its reply is in ``reply`` afterwards.
  ///
  /// - Parameter view: The state that a reading command sees. A writing command always sees the
  ///   newest state.
  func run(_ arguments: [Bytes], _ view: Database.View) {
    self.arguments = arguments
    effect = .none
    database.durability = .committed
    reply.removeAll()
    do throws(CommandError) {
      guard let command = try Command.named(arguments) else {
        effect = .rejecting
        return
      }
      try admit(command)
      if isInTransaction, command.transactionUse != .immediate {
        return enqueue(command)
      }
      self.view = command.isWrite ? .newest : view
      perform(command)
    } catch {
      if isInTransaction { change { $0.transaction?.abort() } }
      reply.error(error.text)
    }
  }

  /// Throws if a command may not run.
  private func admit(_ command: Command) throws(CommandError) {
    guard isAuthenticated || command.needsNoPassword else {
      throw CommandError("NOAUTH Authentication required.")
    }
    commandName = command.name
    if command.isWrite, let reason = server.log.writeError { throw CommandError(reason) }
    if command.grows, server.memoryLimit.byteCount > 0 {
      // A command that waits for EXEC changes nothing yet, so nothing is removed for it.
      if isInTransaction { try server.checkRoom() } else { try server.makeRoom() }
    }
    if isInTransaction, command.transactionUse == .none {
      throw CommandError("ERR Command not allowed inside a transaction")
    }
  }

  private func enqueue(_ command: Command) {
    client?.session.transaction?.append(command, arguments)
    reply.status("QUEUED")
  }

  /// Runs a command's body; an error replaces the reply.
  private func perform(_ command: Command) {
    let start = reply.byteCount
    do throws(CommandError) {
      try command.body(self)
    } catch {
      reply.truncate(to: start)
      reply.error(error.text)
    }
  }

  /// Runs the commands of a transaction: one group of changes.
  func run(_ transaction: Transaction) {
    // Some commands read all keys, and those have one state only.
    view = .newest
    reply.array(count: transaction.commands.count)
    database.beginGroup()
    let recordsStart = database.pendingRecords.count
    var isTooLong = false
    for (command, arguments) in transaction.commands {
      self.arguments = arguments
      let start = reply.byteCount
      if isTooLong, !command.isWrite {
        reply.error(Self.tooLong.text)
      } else if command.grows,
        database.pendingRecords.count - recordsStart > Self.changeByteLimit
      {
        reply.error("ERR the transaction changes more than \(Self.changeByteLimit) bytes")
      } else {
        perform(command)
      }
      // The command has run, and each reply needs its place.
      guard reply.byteCount > Server.replyByteLimit else { continue }
      isTooLong = true
      reply.truncate(to: start)
      reply.error(Self.tooLong.text)
    }
    database.endGroup()
  }

  /// The bytes of changes after which a transaction may not add any.
  private static let changeByteLimit = 256 * 1024 * 1024

  /// Copies of the session's, for speed.
  private var isAuthenticated = true
  private var isInTransaction = false

  var argumentCount: Int { arguments.count }

  /// The argument as an option's name.
  func word(_ index: Int) -> String { arguments[index].uppercased.text }

  func key(_ index: Int) -> Key { Key(arguments[index]) }

  func integer(_ index: Int) throws(CommandError) -> Int64 {
    guard let number = arguments[index].integer else { throw .notAnInteger }
    return number
  }

  func read(_ key: Key) -> Value? { database.read(key, view) }

  /// Throws if the reply is larger than a client may have waiting.
  func checkReply() throws(CommandError) {
    guard reply.byteCount <= Server.replyByteLimit else { throw Self.tooLong }
  }

  private static let tooLong = CommandError(
    "ERR the reply would be larger than \(Server.replyByteLimit) bytes")
}

/// A command that clients can send.
final class Command: Sendable {
  typealias Body = @Sendable (Call) throws(CommandError) -> Void

  let name: String
  /// The number of words, including the name; a negative value means at least that many.
  let arity: Int
  let isWrite: Bool
  /// Whether it may need more memory for keys and values.
  let grows: Bool
  /// Whether clients may send it before they have given the password.
  let needsNoPassword: Bool
  let transactionUse: TransactionUse
  let keys: Keys
  /// One sentence for COMMAND DOCS.
  let summary: String
  let body: Body

  /// Between MULTI and EXEC.
  enum TransactionUse {
    /// Runs with the others, at EXEC.
    case queued
    /// Runs at once.
    case immediate
    case none
  }

  /// The arguments that are keys.
  enum Keys {
    case none
    case first
    case firstTwo
    case all
    /// Every second one, from the first on.
    case pairs

    /// The first key, the last (negative: from the end) and the step, as COMMAND INFO shows them.
    var positions: (first: Int, last: Int, step: Int) {
      switch self {
      case .none: (0, 0, 0)
      case .first: (1, 1, 1)
      case .firstTwo: (1, 2, 1)
      case .all: (1, -1, 1)
      case .pairs: (1, -1, 2)
      }
    }
  }

  private init(
    _ name: String, _ arity: Int, isWrite: Bool = false, needsNoPassword: Bool = false,
    transaction transactionUse: TransactionUse = .queued, keys: Keys, summary: String,
    _ body: @escaping Body
  ) {
    self.name = name
    self.arity = arity
    self.isWrite = isWrite
    grows = isWrite && !Self.namesOfOthers.contains(name)
    self.needsNoPassword = needsNoPassword
    self.transactionUse = transactionUse
    self.keys = keys
    self.summary = summary
    self.body = body
  }

  /// The writing commands that need no more memory.
  private static let namesOfOthers: Set = [
    "del", "unlink", "expire", "pexpire", "expireat", "pexpireat", "persist", "rename", "renamenx",
    "getdel", "getex", "flushall", "flushdb",
  ]

  static func read(
    _ name: String, _ arity: Int, keys: Keys = .none, needsNoPassword: Bool = false,
    transaction: TransactionUse = .queued, _ summary: String, _ body: @escaping Body
  ) -> Command {
    Command(
      name, arity, needsNoPassword: needsNoPassword, transaction: transaction, keys: keys,
      summary: summary,
      body)
  }

  /// A command on transactions, which itself runs at once.
  static func transaction(
    _ name: String, _ arity: Int, keys: Keys = .none, _ summary: String, _ body: @escaping Body
  ) -> Command {
    Command(name, arity, transaction: .immediate, keys: keys, summary: summary, body)
  }

  static func write(
    _ name: String, _ arity: Int, keys: Keys = .none, _ summary: String, _ body: @escaping Body
  ) -> Command {
    Command(name, arity, isWrite: true, keys: keys, summary: summary, body)
  }

  static let all =
    StringCommands.all + SetCommands.all + RangeCommands.all + FloatCommands.all
    + KeyCommands.all + ExpiryCommands.all + ObjectCommands.all + ConnectionCommands.all
    + TransactionCommands.all + ServerCommands.all

  private static let byName = Dictionary(
    uniqueKeysWithValues: all.map { command in
      guard let name = CommandName(Bytes(command.name.utf8)) else {
        trap("Command: a name may have at most \(CommandName.byteLimit) letters")
      }
      return (name, command)
    })

  /// - Returns: Nil if the words are a line of an HTTP request.
  static func named(_ arguments: [Bytes]) throws(CommandError) -> Command? {
    guard let command = find(arguments[0]) else {
      guard !httpWords.contains(arguments[0].uppercased.text) else { return nil }
      throw unknown(arguments)
    }
    guard command.accepts(count: arguments.count) else { throw wrongCount(command.name) }
    return command
  }

  static func find(_ name: Bytes) -> Command? { CommandName(name).flatMap { byName[$0] } }

  /// Whether a request may have this many words.
  func accepts(count: Int) -> Bool { arity < 0 ? count >= -arity : count == arity }

  /// With these, an HTTP request begins. A web page can make a browser send one, with commands in
  /// its body.
  private static let httpWords: Set = ["POST", "HOST:"]

  static func wrongCount(_ name: String) -> CommandError {
    CommandError("ERR wrong number of arguments for '\(name)' command")
  }

  /// The part of an unknown command that the error quotes, in bytes.
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

/// A command's name in upper case, packed into one number for fast look-up.
private struct CommandName: Hashable {
  static let byteLimit = 15
  private let letters: UInt128

  /// - Returns: Nil if the name is too long.
  init?(_ name: Bytes) {
    guard name.count <= Self.byteLimit else { return nil }
    // The leading bit distinguishes names that start with zero bytes.
    var letters: UInt128 = 1
    for byte in name {
      let isSmall = (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
      letters = letters << 8 | UInt128(isSmall ? byte - 32 : byte)
    }
    self.letters = letters
  }
}
