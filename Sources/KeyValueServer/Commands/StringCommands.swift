/// The commands that read and change values.
enum StringCommands {
  static let all: [Command] = [
    .read("get", 2, keys: .first, "Returns the value of a key.") { call throws(CommandError) in
      call.reply.bulk(ifAny: call.read(call.key(1))?.bytes)
    },
    .read("mget", -2, keys: .all, "Returns the values of keys.") { call throws(CommandError) in
      try getMany(call)
    },
    .read("strlen", 2, keys: .first, "Returns the length of a value.") {
      call throws(CommandError) in
      call.reply.integer(call.read(call.key(1))?.bytes.count ?? 0)
    },
    .write("set", -3, keys: .first, "Sets the value of a key, and its expiry.") {
      call throws(CommandError) in try set(call)
    },
    .write("mset", -3, keys: .pairs, "Sets the values of keys.") { call throws(CommandError) in
      try setMany(call)
    },
    .write("append", 3, keys: .first, "Appends to a value.") { call throws(CommandError) in
      try append(call)
    },
    .write("incr", 2, keys: .first, "Adds 1 to a number.") { call throws(CommandError) in
      try add(1, call)
    },
    .write("decr", 2, keys: .first, "Subtracts 1 from a number.") { call throws(CommandError) in
      try add(-1, call)
    },
    .write("incrby", 3, keys: .first, "Adds to a number.") { call throws(CommandError) in
      try add(call.integer(2), call)
    },
    .write("decrby", 3, keys: .first, "Subtracts from a number.") { call throws(CommandError) in
      let number = try call.integer(2)
      guard number != .min else { throw CommandError("ERR decrement would overflow") }
      try add(-number, call)
    },
  ]

  private static func getMany(_ call: Call) throws(CommandError) {
    call.reply.array(count: call.argumentCount - 1)
    for index in 1..<call.argumentCount {
      call.reply.bulk(ifAny: call.read(call.key(index))?.bytes)
      try call.checkReply()
    }
  }

  private static func set(_ call: Call) throws(CommandError) {
    let options = try SetOptions(call)
    let key = call.key(1)
    let old = options.needsOld ? call.read(key) : nil
    let isWanted =
      switch options.condition {
      case nil: true
      case .ifMissing: old == nil
      case .ifPresent: old != nil
      }
    if isWanted {
      let expiry = options.keepsExpiry ? old?.expiry ?? .never : options.expiry ?? .never
      if expiry <= call.database.now {
        // An expiry in the past, which only EXAT and PXAT can name.
        if old != nil { call.database.remove([key]) }
      } else {
        call.database.set(key, Value(bytes: call.arguments[2], expiry: expiry))
      }
    }
    if options.returnsOld {
      call.reply.bulk(ifAny: old?.bytes)
    } else if isWanted {
      call.reply.ok()
    } else {
      call.reply.null()
    }
  }

  private static func setMany(_ call: Call) throws(CommandError) {
    guard call.argumentCount % 2 == 1 else { throw Command.wrongCount("mset") }
    for index in stride(from: 1, to: call.argumentCount, by: 2) {
      call.database.set(
        call.key(index), Value(bytes: call.arguments[index + 1]),
        isContinued: index + 2 < call.argumentCount)
    }
    call.reply.ok()
  }

  private static func append(_ call: Call) throws(CommandError) {
    let key = call.key(1)
    let bytes = call.arguments[2]
    guard let old = call.read(key) else {
      call.database.set(key, Value(bytes: bytes))
      return call.reply.integer(bytes.count)
    }
    let byteCount = old.bytes.count + bytes.count
    guard byteCount <= RequestParser.Limits().bulkByteCount else { throw .tooLong }
    if !bytes.isEmpty { call.database.append(bytes, to: key) }
    call.reply.integer(byteCount)
  }

  private static func add(_ number: Int64, _ call: Call) throws(CommandError) {
    let key = call.key(1)
    let old = call.read(key)
    guard let present = old.map(\.bytes.integer) ?? 0 else { throw .notAnInteger }
    let (sum, overflows) = present.addingReportingOverflow(number)
    guard !overflows else { throw CommandError("ERR increment or decrement would overflow") }
    call.database.set(key, Value(bytes: Bytes("\(sum)".utf8), expiry: old?.expiry ?? .never))
    call.reply.integer(sum)
  }
}

/// The options of SET, which follow the value.
private struct SetOptions {
  enum Condition {
    case ifMissing
    case ifPresent
  }

  var condition: Condition?
  var expiry: Moment?
  var keepsExpiry = false
  var returnsOld = false

  /// Whether the old value matters.
  var needsOld: Bool { condition != nil || expiry != nil || keepsExpiry || returnsOld }

  init(_ call: Call) throws(CommandError) {
    var index = 3
    while index < call.argumentCount {
      switch call.arguments[index].uppercased.text {
      case "NX" where condition != .ifPresent: condition = .ifMissing
      case "XX" where condition != .ifMissing: condition = .ifPresent
      case "GET": returnsOld = true
      case "KEEPTTL" where expiry == nil: keepsExpiry = true
      case let unit where expiry == nil && !keepsExpiry && index + 1 < call.argumentCount:
        guard let unit = ExpiryUnit(setOption: unit) else { throw .syntax }
        index += 1
        expiry = try unit.moment(call, argument: index, command: "set", isPositive: true)
      default: throw .syntax
      }
      index += 1
    }
  }
}
