/// The commands on parts of a value.
enum RangeCommands {
  static let all: [Command] = [
    .read("getrange", 4, keys: .first, "Returns a part of a value.") { call throws(CommandError) in
      try get(call)
    },
    .read("substr", 4, keys: .first, "Returns a part of a value.") { call throws(CommandError) in
      try get(call)
    },
    .write("setrange", 4, keys: .first, "Overwrites a part of a value.") {
      call throws(CommandError) in
      try set(call)
    },
  ]

  /// Both ends are included; negative ones count from the end.
  private static func get(_ call: Call) throws(CommandError) {
    let (start, end) = (try call.integer(2), try call.integer(3))
    let value = call.read(call.key(1))?.bytes ?? []
    let count = Int64(value.count)
    guard start >= 0 || end >= 0 || start <= end else { return call.reply.bulk(Bytes()) }
    let first = start < 0 ? max(0, count + max(start, -count)) : start
    let last = min(count - 1, end < 0 ? max(0, count + max(end, -count)) : end)
    guard first <= last else { return call.reply.bulk(Bytes()) }
    call.reply.bulk(value[Int(first)...Int(last)])
  }

  private static func set(_ call: Call) throws(CommandError) {
    let offset = try call.integer(2)
    guard offset >= 0 else { throw CommandError("ERR offset is out of range") }
    let part = call.arguments[3]
    let old = call.read(call.key(1))
    guard !part.isEmpty else { return call.reply.integer(old?.bytes.count ?? 0) }
    let limit = RequestParser.Limits().bulkByteCount
    guard offset <= limit - part.count else { throw .tooLong }
    let start = Int(offset)
    var bytes = old?.bytes ?? []
    let missing = start + part.count - bytes.count
    if missing > 0 { bytes.append(contentsOf: repeatElement(0, count: missing)) }
    bytes.replaceSubrange(start..<start + part.count, with: part)
    call.database.set(call.key(1), Value(bytes: bytes, expiry: old?.expiry ?? .never))
    call.reply.integer(bytes.count)
  }
}
