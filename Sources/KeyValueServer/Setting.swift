import Reactor

/// A setting that CONFIG shows, and perhaps changes until the server ends.
struct Setting: Sendable {
  /// Checks a value.
  ///
  /// - Returns: The change, which is made when all values of a request are valid.
  typealias Check = @Sendable (Bytes, Server) throws(CommandError) -> () -> Void

  let name: String
  let value: @Sendable (Server) -> Bytes
  /// Nil if it cannot change.
  let check: Check?

  init(
    _ name: String, _ value: @escaping @Sendable (Server) -> String, _ check: Check? = nil
  ) {
    self.name = name
    self.value = { Bytes(value($0).utf8) }
    self.check = check
  }

  static let all: [Setting] = [
    Setting("appendfsync", { $0.log.configuration.syncPolicy.rawValue }),
    Setting("appendonly", { _ in "yes" }),
    // Redis counts the growth beyond the size of a new log.
    Setting(
      "auto-aof-rewrite-percentage", { "\(($0.log.configuration.rewriteRatio - 1) * 100)" },
      { value, server throws(CommandError) in
        let percentage = try number(value, in: 100...9900)
        guard percentage % 100 == 0 else {
          throw CommandError("argument must be a multiple of 100")
        }
        return { server.log.configuration.rewriteRatio = percentage / 100 + 1 }
      }),
    Setting(
      "auto-aof-rewrite-min-size", { "\($0.log.configuration.rewriteMinimumByteCount)" },
      { value, server throws(CommandError) in
        let byteCount = try byteCount(value, atLeast: 0)
        return { server.log.configuration.rewriteMinimumByteCount = byteCount }
      }),
    Setting("bind", { $0.listener.map { Self.host(of: "\($0.address)") } ?? "" }),
    Setting("client-output-buffer-limit", { "normal \($0.limits.outputByteCount) 0 0" }),
    Setting("databases", { _ in "1" }),
    Setting("dir", { "\($0.log.dataDirectory.directory.path)" }),
    Setting("maxclients", { "\($0.limits.clientCount)" }),
    Setting(
      "maxmemory", { "\($0.memoryLimit.byteCount)" },
      { value, server throws(CommandError) in
        let byteCount = try byteCount(value, atLeast: 0)
        return { server.memoryLimit.byteCount = byteCount }
      }),
    Setting(
      "maxmemory-clients", { "\($0.memory.limit)" },
      { value, server throws(CommandError) in
        let byteCount = try byteCount(value, atLeast: Server.Limits.smallestByteCount)
        return { server.memory.limit = byteCount }
      }),
    Setting(
      "maxmemory-policy", { $0.memoryLimit.policy.rawValue },
      { value, server throws(CommandError) in
        guard let policy = Server.MemoryLimit.Policy(rawValue: value.lowercased.text) else {
          let names = Server.MemoryLimit.Policy.allCases.map(\.rawValue).joined(separator: ", ")
          throw CommandError("argument(s) must be one of the following: \(names)")
        }
        return { server.memoryLimit.policy = policy }
      }),
    Setting("port", { "\($0.listener?.address.port ?? 0)" }),
    Setting("proto-max-bulk-len", { _ in "\(RequestParser.Limits().bulkByteCount)" }),
    Setting(
      "requirepass", { $0.password?.text ?? "" },
      { value, server throws(CommandError) in
        guard !value.isEmpty || !server.mustHavePassword else {
          throw CommandError("a server that other machines reach must have a password")
        }
        return { server.password = value.isEmpty ? nil : value }
      }),
    Setting("save", { _ in "" }),
    Setting("timeout", { _ in "0" }),
  ]

  /// Changes the settings that a request names: all of them, or none.
  static func change(_ call: Call) throws(CommandError) {
    var changes: [() -> Void] = []
    var names: Set<String> = []
    for index in stride(from: 2, to: call.argumentCount, by: 2) {
      let name = call.arguments[index].lowercased.text
      guard let setting = all.first(where: { $0.name == name }) else {
        throw CommandError("ERR Unknown option or number of arguments for CONFIG SET - '\(name)'")
      }
      guard names.insert(name).inserted else { throw failure(name, "duplicate parameter") }
      guard let check = setting.check else { throw failure(name, "can't set immutable config") }
      do throws(CommandError) {
        changes.append(try check(call.arguments[index + 1], call.server))
      } catch {
        throw failure(name, error.text)
      }
    }
    for change in changes { change() }
  }

  private static func failure(_ name: String, _ reason: String) -> CommandError {
    CommandError("ERR CONFIG SET failed (possibly related to argument '\(name)') - \(reason)")
  }

  private static func number(
    _ value: Bytes, in range: ClosedRange<Int64>
  ) throws(CommandError) -> Int {
    guard let number = value.integer else {
      throw CommandError("argument couldn't be parsed into an integer")
    }
    guard range.contains(number) else {
      throw CommandError(
        "argument must be between \(range.lowerBound) and \(range.upperBound) inclusive")
    }
    return Int(number)
  }

  /// Reads a number of bytes, with a unit as in "64mb": k, m and g count in 1000, kb, mb and gb in
  /// 1024.
  private static func byteCount(
    _ value: Bytes, atLeast smallest: Int
  ) throws(CommandError) -> Int {
    let units: [String: Int64] = [
      "": 1, "b": 1, "k": 1000, "kb": 1 << 10, "m": 1_000_000, "mb": 1 << 20,
      "g": 1_000_000_000, "gb": 1 << 30,
    ]
    let digits = value.prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
    guard let unit = units[Bytes(value[digits.endIndex...]).lowercased.text],
      let number = Bytes(digits).integer
    else { throw CommandError("argument must be a memory value") }
    let (product, isTooLarge) = number.multipliedReportingOverflow(by: unit)
    guard !isTooLarge, product >= smallest else {
      throw CommandError("argument must be between \(smallest) and \(Int64.max) inclusive")
    }
    return Int(product)
  }

  /// An address without its port and without brackets.
  private static func host(of address: String) -> String {
    let end = address.lastIndex(of: ":") ?? address.endIndex
    return address[..<end].filter { !"[]".contains($0) }
  }
}
