/// The commands on the expiry of keys.
enum ExpiryCommands {
  static let all: [Command] = [
    .write("expire", -3, keys: .first, "Sets the expiry of a key, in seconds from now.") {
      call throws(CommandError) in try expire(call, .seconds, "expire")
    },
    .write("pexpire", -3, keys: .first, "Sets the expiry of a key, in milliseconds from now.") {
      call throws(CommandError) in try expire(call, .milliseconds, "pexpire")
    },
    .write("expireat", -3, keys: .first, "Sets the expiry of a key, in seconds since 1970.") {
      call throws(CommandError) in try expire(call, .absoluteSeconds, "expireat")
    },
    .write("pexpireat", -3, keys: .first, "Sets the expiry of a key, in milliseconds since 1970.") {
      call throws(CommandError) in try expire(call, .absoluteMilliseconds, "pexpireat")
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
    .read("expiretime", 2, keys: .first, "Returns the expiry of a key, in seconds since 1970.") {
      call throws(CommandError) in replyExpiry(call, .absoluteSeconds)
    },
    .read(
      "pexpiretime", 2, keys: .first, "Returns the expiry of a key, in milliseconds since 1970."
    ) {
      call throws(CommandError) in replyExpiry(call, .absoluteMilliseconds)
    },
  ]

  /// The options of EXPIRE, which follow the time.
  private struct Conditions {
    var needsNone = false
    var needsOne = false
    var needsLater = false
    var needsEarlier = false

    init(_ call: Call) throws(CommandError) {
      for index in 3..<max(3, call.argumentCount) {
        switch call.word(index) {
        case "NX": needsNone = true
        case "XX": needsOne = true
        case "GT": needsLater = true
        case "LT": needsEarlier = true
        default:
          throw CommandError("ERR Unsupported option \(call.arguments[index].text)")
        }
      }
      if needsNone, needsOne || needsLater || needsEarlier {
        throw CommandError(
          "ERR NX and XX, GT or LT options at the same time are not compatible")
      }
      if needsLater, needsEarlier {
        throw CommandError("ERR GT and LT options at the same time are not compatible")
      }
    }

    /// - Parameter old: The present expiry; a key without one expires later than any other.
    func allow(_ old: Moment, _ new: Moment) -> Bool {
      (!needsNone || old == .never) && (!needsOne || old != .never)
        && (!needsLater || new > old) && (!needsEarlier || new < old)
    }
  }

  private static func expire(
    _ call: Call, _ unit: ExpiryUnit, _ name: String
  ) throws(CommandError) {
    let conditions = try Conditions(call)
    let moment = try unit.moment(call, argument: 2, command: name, isPositive: false)
    let key = call.key(1)
    guard let value = call.read(key), conditions.allow(value.expiry, moment) else {
      return call.reply.integer(0)
    }
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
    let start = unit.isAbsolute ? 0 : call.database.now.milliseconds
    // Rounds to the nearest unit, as Redis does.
    call.reply.integer(
      (value.expiry.milliseconds - start + unit.milliseconds / 2) / unit.milliseconds)
  }
}
