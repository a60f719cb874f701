/// The commands on keys of any type.
enum KeyCommands {
  static let all: [Command] = [
    .write("del", -2, keys: .all, "Removes keys.") { call throws(CommandError) in remove(call) },
    .write("unlink", -2, keys: .all, "Removes keys.") { call throws(CommandError) in remove(call) },
    .read("exists", -2, keys: .all, "Counts the arguments that are existing keys.") {
      call throws(CommandError) in
      countKeys(call)
    },
    .read("type", 2, keys: .first, "Returns the type of a key.") { call throws(CommandError) in
      call.reply.status(call.read(call.key(1)) == nil ? "none" : "string")
    },
    .write("rename", 3, keys: .firstTwo, "Renames a key.") { call throws(CommandError) in
      try rename(call)
      call.reply.ok()
    },
    .write("renamenx", 3, keys: .firstTwo, "Renames a key if the new name is free.") {
      call throws(CommandError) in
      guard call.read(call.key(1)) != nil else { throw noSuchKey }
      guard call.read(call.key(2)) == nil else { return call.reply.integer(0) }
      try rename(call)
      call.reply.integer(1)
    },
    .write("copy", -3, keys: .firstTwo, "Copies a value and its expiry.") {
      call throws(CommandError) in
      try copy(call)
    },
    .read("touch", -2, keys: .all, "Counts the arguments that are existing keys.") {
      call throws(CommandError) in countKeys(call)
    },
    .read("randomkey", 1, "Returns a random key.") { call throws(CommandError) in
      replyRandomKey(call)
    },
    .read("keys", 2, "Returns the keys that match a pattern.") { call throws(CommandError) in
      try replyKeys(call)
    },
    .read("scan", -2, "Returns some of the keys, and where to continue.") {
      call throws(CommandError) in try scan(call)
    },
    .read("dbsize", 1, "Returns the number of keys.") { call throws(CommandError) in
      call.database.noteAll()
      call.reply.integer(call.database.keyspace.count)
    },
    .write("flushall", -1, "Removes all keys.") { call throws(CommandError) in
      try removeAll(call)
    },
    .write("flushdb", -1, "Removes all keys.") { call throws(CommandError) in
      try removeAll(call)
    },
  ]

  private static func remove(_ call: Call) {
    var keys: Set<Key> = []
    for index in 1..<call.argumentCount where call.read(call.key(index)) != nil {
      keys.insert(call.key(index))
    }
    call.database.remove(Array(keys))
    call.reply.integer(keys.count)
  }

  private static func removeAll(_ call: Call) throws(CommandError) {
    guard call.argumentCount <= 2,
      call.argumentCount == 1 || ["SYNC", "ASYNC"].contains(call.arguments[1].uppercased.text)
    else { throw .syntax }
    call.database.removeAll()
    call.reply.ok()
  }

  // MARK: - Names

  private static let noSuchKey = CommandError("ERR no such key")

  private static func rename(_ call: Call) throws(CommandError) {
    let (old, new) = (call.key(1), call.key(2))
    guard let value = call.read(old) else { throw noSuchKey }
    guard old != new else { return }
    call.database.set(new, value, isContinued: true)
    call.database.remove([old])
  }

  private static func copy(_ call: Call) throws(CommandError) {
    var replaces = false
    var index = 3
    while index < call.argumentCount {
      switch (call.word(index), call.argumentCount - index - 1) {
      case ("REPLACE", _): replaces = true
      case ("DB", 1...):
        index += 1
        guard try call.integer(index) == 0 else { throw .noSuchDatabase }
      default: throw .syntax
      }
      index += 1
    }
    let (source, target) = (call.key(1), call.key(2))
    guard source != target else {
      throw CommandError("ERR source and destination objects are the same")
    }
    guard let value = call.read(source), replaces || call.read(target) == nil else {
      return call.reply.integer(0)
    }
    call.database.set(target, value)
    call.reply.integer(1)
  }

  private static func countKeys(_ call: Call) {
    call.reply.integer((1..<call.argumentCount).count { call.read(call.key($0)) != nil })
  }

  // MARK: - All keys

  private static func replyRandomKey(_ call: Call) {
    let database = call.database
    database.noteAll()
    let key = database.keyspace.randomKey { !$0.isExpired(at: database.now) }
    call.reply.bulk(ifAny: key?.bytes)
  }

  private static func replyKeys(_ call: Call) throws(CommandError) {
    let pattern = GlobPattern(call.arguments[1])
    call.database.noteAll()
    var keys = Reply()
    var count = 0
    for shard in 0..<Keyspace.shardCount {
      for key in liveKeys(call, shard) where pattern.matches(key.bytes) {
        keys.bulk(key.bytes)
        count += 1
      }
    }
    call.reply.array(count: count)
    call.reply.append(keys)
    try call.checkReply()
  }

  /// The default number of keys that one SCAN checks.
  private static let scanCount: Int64 = 10
  /// The maximum, so that other clients get their turn.
  private static let largestScanCount: Int64 = 100_000

  /// The options of SCAN, which follow the cursor.
  private struct ScanOptions {
    var pattern: GlobPattern?
    var count = scanCount
    var isOfType = true

    init(_ call: Call) throws(CommandError) {
      guard call.argumentCount % 2 == 0 else { throw .syntax }
      for index in stride(from: 2, to: call.argumentCount, by: 2) {
        switch call.word(index) {
        case "MATCH": pattern = GlobPattern(call.arguments[index + 1])
        case "COUNT": count = try call.integer(index + 1)
        case "TYPE": isOfType = call.word(index + 1) == "STRING"
        default: throw .syntax
        }
      }
      guard count > 0 else { throw .syntax }
    }
  }

  /// Replies with the keys of whole shards, so that it misses none, and with the next shard as the
  /// cursor. Empty shards cost next to nothing.
  private static func scan(_ call: Call) throws(CommandError) {
    guard let cursor = call.arguments[1].integer, cursor >= 0 else {
      throw CommandError("ERR invalid cursor")
    }
    let options = try ScanOptions(call)
    let limit = min(options.count, largestScanCount)
    call.database.noteAll()
    var shard = Int(min(cursor, Int64(Keyspace.shardCount)))
    var checkedCount = 0
    var keys: [Key] = []
    while shard < Keyspace.shardCount, checkedCount < limit {
      checkedCount += call.database.keyspace.entries(ofShard: shard).count
      keys += liveKeys(call, shard).filter {
        options.isOfType && options.pattern?.matches($0.bytes) ?? true
      }
      shard += 1
    }
    call.reply.array(count: 2)
    call.reply.bulk("\(shard == Keyspace.shardCount ? 0 : shard)".utf8)
    call.reply.array(count: keys.count)
    for key in keys { call.reply.bulk(key.bytes) }
    try call.checkReply()
  }

  private static func liveKeys(_ call: Call, _ shard: Int) -> [Key] {
    let now = call.database.now
    return call.database.keyspace.entries(ofShard: shard).compactMap { key, value in
      value.isExpired(at: now) ? nil : key
    }
  }
}
