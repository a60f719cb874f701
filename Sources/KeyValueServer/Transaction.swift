/// The commands that a client has sent since MULTI.
struct Transaction {
  private(set) var commands: [(command: Command, arguments: [Bytes])] = []
  /// Whether a command was refused, so that EXEC runs none.
  private(set) var isAborted = false
  private(set) var memoryByteCount = 0

  /// A command's entry, and the header of its array.
  private static let commandOverheadByteCount = 64

  var hasWrite: Bool { commands.contains { $0.command.isWrite } }

  /// Whether a command may need more memory.
  var grows: Bool { commands.contains { $0.command.grows } }

  mutating func append(_ command: Command, _ arguments: [Bytes]) {
    guard !isAborted else { return }
    commands.append((command, arguments))
    memoryByteCount += arguments.reduce(Self.commandOverheadByteCount) {
      $0 + $1.count + RequestParser.argumentOverheadByteCount
    }
  }

  /// EXEC will run none of the commands, so they are not kept.
  mutating func abort() {
    self = Transaction()
    isAborted = true
  }
}
