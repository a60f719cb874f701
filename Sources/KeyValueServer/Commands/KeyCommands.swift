/// The commands on keys of any type.
enum KeyCommands {
  static let all: [Command] = [
    .write("del", -2, keys: .all, "Removes keys.") { call throws(CommandError) in remove(call) },
    .write("unlink", -2, keys: .all, "Removes keys.") { call throws(CommandError) in remove(call) },
    .read("exists", -2, keys: .all, "Counts the arguments that are existing keys.") {
      call throws(CommandError) in
      call.reply.integer((1..<call.argumentCount).count { call.read(call.key($0)) != nil })
    },
    .read("type", 2, keys: .first, "Returns the type of a key.") { call throws(CommandError) in
      call.reply.status(call.read(call.key(1)) == nil ? "none" : "string")
    },
    .write("expire", 3, keys: .first, "Sets the expiry of a key, in seconds from now.") {
      call throws(CommandError) in try expire(call, .seconds, "expire")
    },
    .write("pexpire", 3, keys: .first, "Sets the expiry of a key, in milliseconds from now.") {
      call throws(CommandError) in try expire(call, .milliseconds, "pexpire")
    },
    .write("persist", 2, keys: .first, "Removes the expiry of a key.") {
      call throws(CommandError) in
      persist(call)
    },
    .read("ttl", 2, keys: .first, "Returns the seconds until a key expires.") {
      call throws(CommandError) in replyExpiry(call, .seconds)
    },
    .read("pttl", 2, keys: .first, "Returns the milliseconds until a key expires.") {
      call throws(CommandError) in replyExpiry(call, .milliseconds)
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

  // MARK: - Expiry

  private static func expire(
    _ call: Call, _ unit: ExpiryUnit, _ name: String
  ) throws(CommandError) {
    let moment = try unit.moment(call, argument: 2, command: name, isPositive: false)
    let key = call.key(1)
    guard call.read(key) != nil else { return call.reply.integer(0) }
    if moment <= call.database.now {
      call.database.remove([key])
    } else {
      call.database.setExpiry(moment, of: key)
    }
    call.reply.integer(1)
  }

  private static func persist(_ call: Call) {
    let key = call.key(1)
    guard let value = call.read(key), value.expiry != .never else { return call.reply.integer(0) }
    call.database.setExpiry(.never, of: key)
    call.reply.integer(1)
  }

  private static func replyExpiry(_ call: Call, _ unit: ExpiryUnit) {
    guard let value = call.read(call.key(1)) else { return call.reply.integer(-2) }
    guard value.expiry != .never else { return call.reply.integer(-1) }
    let left = value.expiry.milliseconds - call.database.now.milliseconds
    // Rounds to the nearest second, as Redis does.
    call.reply.integer((left + unit.milliseconds / 2) / unit.milliseconds)
  }

  // MARK: - All keys

  private static func replyKeys(_ call: Call) throws(CommandError) {
    let pattern = GlobPattern(call.arguments[1])
    call.database.noteAll()
    var keys = Reply()
    var count = 0
    for place in 0..<call.database.keyspace.placeCount {
      guard let key = liveKey(call, place), pattern.matches(key.bytes) else { continue }
      keys.bulk(key.bytes)
      count += 1
    }
    call.reply.array(count: count)
    call.reply.append(keys)
    try call.checkReply()
  }

  /// The default number of places that one SCAN checks.
  private static let scanCount: Int64 = 10
  /// The maximum, so that other clients get their turn.
  private static let largestScanCount: Int64 = 100_000

  private static func scan(_ call: Call) throws(CommandError) {
    guard let cursor = call.arguments[1].integer, cursor >= 0 else {
      throw CommandError("ERR invalid cursor")
    }
    var pattern: GlobPattern?
    var count = scanCount
    var isOfType = true
    var index = 2
    while index + 1 < call.argumentCount {
      switch call.arguments[index].uppercased.text {
      case "MATCH": pattern = GlobPattern(call.arguments[index + 1])
      case "COUNT": count = try call.integer(index + 1)
      case "TYPE": isOfType = call.arguments[index + 1].uppercased.text == "STRING"
      default: throw .syntax
      }
      index += 2
    }
    guard index == call.argumentCount, count > 0 else { throw .syntax }
    call.database.noteAll()
    let placeCount = call.database.keyspace.placeCount
    let start = Int(min(cursor, Int64(placeCount)))
    let end = min(placeCount, start + Int(min(count, largestScanCount)))
    let keys = (start..<end).compactMap { liveKey(call, $0) }
      .filter { isOfType && pattern?.matches($0.bytes) ?? true }
    call.reply.array(count: 2)
    call.reply.bulk("\(end == placeCount ? 0 : end)".utf8)
    call.reply.array(count: keys.count)
    for key in keys { call.reply.bulk(key.bytes) }
    try call.checkReply()
  }

  private static func liveKey(_ call: Call, _ place: Int) -> Key? {
    guard let (key, value) = call.database.keyspace[place: place],
      !value.isExpired(at: call.database.now)
    else { return nil }
    return key
  }
}
