import TestSupport
import XCTest

/// What client libraries send first, and what their tools ask.
final class HandshakeTests: KeyValueTestCase {
  /// The texts of a map with the values of these names.
  private func values(_ reply: RedisReply, _ names: String...) -> [RedisReply?] {
    names.map { name in
      if case .map(let pairs) = reply {
        return pairs.first { $0.0 == .bulk(Array(name.utf8)) }?.1
      }
      let elements = reply.elements
      let index = elements.firstIndex(of: .bulk(Array(name.utf8)))
      return index.map { elements[$0 + 1] }
    }
  }

  func test_helloSelectsTheProtocol() throws {
    let client = try serve().client()
    XCTAssertEqual(
      try client.line("HELLO x"),
      .error(
        "ERR Protocol version is not an integer or out of range"))
    for version in ["1", "4"] {
      XCTAssertEqual(
        try client.line("HELLO \(version)"), .error("NOPROTO unsupported protocol version"))
    }
    let plain = try client.line("HELLO")
    XCTAssertEqual(plain.elements.count, 14)
    XCTAssertEqual(values(plain, "proto", "role", "server"), [2, "master", "redis"])
    XCTAssertEqual(try client.line("GET a"), .null)
    let greeting = try client.line("HELLO 3 SETNAME me")
    XCTAssertEqual(values(greeting, "proto", "mode", "modules"), [3, "standalone", []])
    XCTAssertEqual(try client.line("CLIENT GETNAME"), "me")
    XCTAssertEqual(try client.line("GET a"), .resp3Null)
    XCTAssertEqual(try client.line("MGET a"), [.resp3Null])
    XCTAssertEqual(
      try client.line("HELLO 2 WHAT"), .error("ERR Syntax error in HELLO option 'WHAT'"))
    XCTAssertEqual(values(try client.line("HELLO 2"), "proto"), [2])
    XCTAssertEqual(try client.line("GET a"), .null)
  }

  func test_helloGivesThePassword() throws {
    let client = try serve("--requirepass", "secret").client()
    XCTAssertTrue(
      try XCTUnwrap(try client.line("HELLO 3").errorText).hasPrefix("NOAUTH HELLO must be called"))
    XCTAssertTrue(
      try XCTUnwrap(try client.line("HELLO 3 AUTH default x").errorText).hasPrefix("WRONGPASS"))
    let greeting = try client.line("HELLO 3 AUTH default secret SETNAME me")
    XCTAssertEqual(values(greeting, "proto"), [3])
    XCTAssertEqual(try client.line("GET a"), .resp3Null)
    XCTAssertEqual(try client.line("RESET"), .status("RESET"))
    XCTAssertEqual(try client.line("GET a"), .error("NOAUTH Authentication required."))
  }

  func test_resetUndoesTheSettings() throws {
    let client = try serve().client()
    _ = try client.line("HELLO 3 SETNAME me")
    XCTAssertEqual(try client.line("RESET"), .status("RESET"))
    XCTAssertEqual(try client.line("CLIENT GETNAME"), .null)
  }

  func test_clientsAreNamedListedAndKilled() throws {
    let site = try serve()
    let client = try site.client()
    let other = try site.client()
    let number = try XCTUnwrap(try client.line("CLIENT ID").integer)
    XCTAssertEqual(try other.line("CLIENT ID"), .integer(number + 1))
    XCTAssertEqual(try other.line("CLIENT SETNAME other"), .ok)
    XCTAssertEqual(try other.line("CLIENT SETINFO LIB-NAME it"), .ok)
    XCTAssertEqual(try other.line("CLIENT SETINFO lib-ver 1.0"), .ok)
    XCTAssertEqual(
      try other.line("CLIENT SETINFO what 1"), .error("ERR Unrecognized option 'what'"))
    XCTAssertEqual(
      try other.ask("CLIENT", "SETNAME", "a b"),
      .error("ERR Client names cannot contain spaces, newlines or special characters."))
    let list = try text(try client.line("CLIENT LIST"))
    XCTAssertEqual(list.split(separator: "\n").count, 2)
    XCTAssertTrue(list.contains("name=other"), list)
    XCTAssertTrue(list.contains("lib-name=it lib-ver=1.0"), list)
    XCTAssertTrue(list.contains("cmd=client|list"), list)
    XCTAssertEqual(
      try text(try client.line("CLIENT LIST ID \(number)")).split(separator: "\n").count, 1)
    XCTAssertEqual(try client.line("CLIENT LIST TYPE pubsub"), "")
    XCTAssertEqual(
      try client.line("CLIENT LIST TYPE x"), .error("ERR Unknown client type 'x'"))
    XCTAssertTrue(try text(try other.line("CLIENT INFO")).contains("name=other"))
    XCTAssertEqual(try other.line("CLIENT NO-EVICT ON"), .ok)
    XCTAssertEqual(try other.line("CLIENT NO-EVICT what"), syntaxError)

    XCTAssertEqual(try client.line("CLIENT KILL 1.2.3.4:5"), .error("ERR No such client"))
    XCTAssertEqual(
      try client.line("CLIENT KILL ID x"), .error("ERR client-id should be greater than 0"))
    XCTAssertEqual(try client.line("CLIENT KILL ID \(number)"), 0)
    XCTAssertEqual(try client.line("CLIENT KILL ID \(number + 1) USER default"), 1)
    XCTAssertEqual(try other.client.readToEnd(), [])
    XCTAssertEqual(try client.line("CLIENT KILL TYPE normal SKIPME no"), 1)
    XCTAssertEqual(try client.client.readToEnd(), [])
  }

  func test_commandsAreDescribed() throws {
    let client = try serve().client()
    let count = try XCTUnwrap(try client.line("COMMAND COUNT").integer)
    XCTAssertEqual(try client.line("COMMAND").elements.count, count)
    XCTAssertEqual(try client.line("COMMAND LIST").elements.count, count)
    XCTAssertEqual(try client.line("COMMAND DOCS").elements.count, 2 * count)
    XCTAssertEqual(try client.line("COMMAND DOCS get nothing").elements.first, "get")
    XCTAssertEqual(try client.line("COMMAND LIST FILTERBY PATTERN mge*"), ["mget"])
    let described = try client.line("COMMAND INFO mset nothing").elements
    XCTAssertEqual(
      described.first?.elements.prefix(6), ["mset", -3, [.status("write")], 1, -1, 2])
    XCTAssertEqual(described.last, .null)
    XCTAssertEqual(try client.line("COMMAND GETKEYS MSET a 1 b 2"), ["a", "b"])
    XCTAssertEqual(try client.line("COMMAND GETKEYS GET a"), ["a"])
    for (words, error) in [
      ("PING", "The command has no key arguments"), ("WHAT a", "Invalid command specified"),
      ("GET a b", "Invalid number of arguments specified for command"),
    ] {
      XCTAssertEqual(try client.line("COMMAND GETKEYS \(words)"), .error("ERR \(error)"))
    }
    XCTAssertEqual(
      try client.line("COMMAND WHAT"),
      .error("ERR unknown subcommand 'WHAT'. Try COMMAND HELP."))
  }

  func test_settingsAreShownAndChanged() throws {
    let client = try serve().client()
    XCTAssertEqual(try client.line("CONFIG GET MAXMEMORY-c*"), ["maxmemory-clients", "1073741824"])
    XCTAssertEqual(try client.line("CONFIG GET save appendonly").elements.count, 4)
    XCTAssertEqual(
      try client.line("CONFIG SET maxmemory-clients 64mb auto-aof-rewrite-percentage 200"), .ok)
    XCTAssertEqual(try client.line("CONFIG GET maxmemory-clients").elements.last, "67108864")
    XCTAssertEqual(try client.line("CONFIG GET auto-aof-rewrite-perc*").elements.last, "200")
    let failed = "ERR CONFIG SET failed (possibly related to argument"
    for (words, error) in [
      ("what 1", "ERR Unknown option or number of arguments for CONFIG SET - 'what'"),
      ("appendonly no", "\(failed) 'appendonly') - can't set immutable config"),
      ("maxmemory-clients x", "\(failed) 'maxmemory-clients') - argument must be a memory value"),
      (
        "auto-aof-rewrite-percentage x",
        "\(failed) 'auto-aof-rewrite-percentage') - argument couldn't be parsed into an integer"
      ),
      // All of them, or none.
      (
        "requirepass secret appendonly no",
        "\(failed) 'appendonly') - can't set immutable config"
      ),
    ] {
      XCTAssertEqual(try client.line("CONFIG SET \(words)"), .error(error))
    }
    XCTAssertEqual(try client.ask("CONFIG", "GET", "requirepass").elements.last, "")
    XCTAssertEqual(try client.line("CONFIG RESETSTAT"), .ok)
    let statistics = try text(try client.line("INFO stats"))
    XCTAssertTrue(statistics.contains("total_commands_processed:1\r\n"), statistics)
  }

  func test_newPasswordIsNeeded_byNewClients() throws {
    let site = try serve()
    let client = try site.client()
    XCTAssertEqual(try client.line("CONFIG SET requirepass secret"), .ok)
    XCTAssertEqual(try client.line("GET a"), .null)
    XCTAssertEqual(try site.client().line("GET a"), .error("NOAUTH Authentication required."))
  }

  func test_passwordStays_whenOtherMachinesReachTheServer() throws {
    let client = try serve("--host", "0.0.0.0", "--requirepass", "secret").client()
    XCTAssertEqual(try client.line("AUTH secret"), .ok)
    XCTAssertEqual(
      try client.ask("CONFIG", "SET", "requirepass", ""),
      .error(
        "ERR CONFIG SET failed (possibly related to argument 'requirepass') - a server that other "
          + "machines reach must have a password"))
  }

  func test_informationHasTheNamesThatClientsRead() throws {
    let client = try serve().client()
    XCTAssertEqual(try client.line("SET a 1"), .ok)
    let text = try text(try client.line("INFO"))
    for name in ["redis_version:7.", "role:master", "used_memory:", "uptime_in_seconds:"] {
      XCTAssertTrue(text.contains("\r\n\(name)"), name)
    }
    XCTAssertTrue(text.contains("db0:keys=1,expires=0,avg_ttl=0"))
    let memory = text.components(separatedBy: "used_memory:").last?.prefix { $0.isNumber }
    XCTAssertGreaterThan(Int(memory ?? "") ?? 0, 1024 * 1024)
    _ = try client.line("HELLO 3")
    XCTAssertEqual(try self.text(try client.line("INFO keyspace")).prefix(10), "# Keyspace")
  }

  private func text(_ reply: RedisReply) throws -> String {
    String(decoding: try XCTUnwrap(reply.bytes), as: UTF8.self)
  }
}
