/// The commands that set or remove a value together with something else.
enum SetCommands {
  static let all: [Command] = [
    .write("setnx", 3, keys: .first, "Sets the value of a missing key.") {
      call throws(CommandError) in
      let isMissing = call.read(call.key(1)) == nil
      if isMissing { call.database.set(call.key(1), Value(bytes: call.arguments[2])) }
      call.reply.integer(isMissing ? 1 : 0)
    },
    .write("setex", 4, keys: .first, "Sets a value and its expiry, in seconds from now.") {
      call throws(CommandError) in try set(call, .seconds, "setex")
    },
    .write("psetex", 4, keys: .first, "Sets a value and its expiry, in milliseconds from now.") {
      call throws(CommandError) in try set(call, .milliseconds, "psetex")
    },
    .write("getset", 3, keys: .first, "Sets a value and returns the previous one.") {
      call throws(CommandError) in
      call.reply.bulk(ifAny: call.read(call.key(1))?.bytes)
      call.database.set(call.key(1), Value(bytes: call.arguments[2]))
    },
    .write("getdel", 2, keys: .first, "Removes a key and returns its value.") {
      call throws(CommandError) in
      let old = call.read(call.key(1))
      call.reply.bulk(ifAny: old?.bytes)
      if old != nil { call.database.remove([call.key(1)]) }
    },
    .write("getex", -2, keys: .first, "Returns a value and changes its expiry.") {
      call throws(CommandError) in try getWithExpiry(call)
    },
    .write("msetnx", -3, keys: .pairs, "Sets the values of keys if all are missing.") {
      call throws(CommandError) in try setManyMissing(call)
    },
  ]

  private static func set(
    _ call: Call, _ unit: ExpiryUnit, _ name: String
  ) throws(CommandError) {
    let expiry = try unit.moment(call, argument: 2, command: name, isPositive: true)
    call.database.set(call.key(1), Value(bytes: call.arguments[3], expiry: expiry))
    call.reply.ok()
  }

  private static func getWithExpiry(_ call: Call) throws(CommandError) {
    var expiry: Moment?
    switch (call.argumentCount, call.argumentCount > 2 ? call.word(2) : "") {
    case (2, _): break
    case (3, "PERSIST"): expiry = .never
    case (4, let word):
      guard let unit = ExpiryUnit(setOption: word) else { throw .syntax }
      expiry = try unit.moment(call, argument: 3, command: "getex", isPositive: true)
    default: throw .syntax
    }
    let key = call.key(1)
    guard let value = call.read(key) else { return call.reply.null() }
    call.reply.bulk(value.bytes)
    guard let expiry, expiry != value.expiry else { return }
    if expiry <= call.database.now {
      // An expiry in the past, which only EXAT and PXAT can name.
      call.database.remove([key])
    } else {
      call.database.setExpiry(expiry, of: key)
    }
  }

  private static func setManyMissing(_ call: Call) throws(CommandError) {
    guard call.argumentCount % 2 == 1 else { throw Command.wrongCount("msetnx") }
    let places = stride(from: 1, to: call.argumentCount, by: 2)
    guard places.allSatisfy({ call.read(call.key($0)) == nil }) else {
      return call.reply.integer(0)
    }
    for index in places {
      call.database.set(
        call.key(index), Value(bytes: call.arguments[index + 1]),
        isContinued: index + 2 < call.argumentCount)
    }
    call.reply.integer(1)
  }
}
