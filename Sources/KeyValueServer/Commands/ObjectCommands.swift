/// The commands that tell how a value is kept.
enum ObjectCommands {
  static let all: [Command] = [
    .read("object", -2, "Describes a value.") { call throws(CommandError) in
      try object.run(call)
    },
    .read("memory", -2, "Returns the memory of a value.") { call throws(CommandError) in
      try memory.run(call)
    },
  ]

  /// Longer values than this are "raw" in Redis.
  private static let embeddedByteCount = 44
  /// The entry of a key, its index, and the headers of two arrays, in bytes.
  private static let overheadByteCount = 144

  private static let object = Subcommands(
    command: "object",
    entries: [
      (
        "ENCODING", 3,
        { call throws(CommandError) in
          guard let value = call.read(call.key(2))?.bytes else { return call.reply.null() }
          let isShort = value.count <= embeddedByteCount
          call.reply.bulk((value.integer != nil ? "int" : isShort ? "embstr" : "raw").utf8)
        }
      ),
      (
        "REFCOUNT", 3,
        { call throws(CommandError) in
          guard call.read(call.key(2)) != nil else { return call.reply.null() }
          call.reply.integer(1)
        }
      ),
      Subcommands.help("OBJECT", ["ENCODING key", "REFCOUNT key"]),
    ])

  private static let memory = Subcommands(
    command: "memory",
    entries: [
      (
        "USAGE", -3,
        { call throws(CommandError) in
          if call.argumentCount > 3 {
            guard call.argumentCount == 5, call.word(3) == "SAMPLES", try call.integer(4) >= 0
            else {
              throw .syntax
            }
          }
          let key = call.key(2)
          guard let value = call.read(key) else { return call.reply.null() }
          call.reply.integer(key.bytes.count + value.bytes.count + overheadByteCount)
        }
      ),
      Subcommands.help("MEMORY", ["USAGE key [SAMPLES count]"]),
    ])
}
