import Foundation
import Glibc
import SystemPackage
import TestSupport
import XCTest

/// Kills the server at random moments under load: what was acknowledged is there afterwards, and
/// nothing is there by halves.
///
/// `AIO_KV_CRASHES` is the number of kills, 10 by default; `AIO_TEST_SEED` repeats a run's choices.
final class CrashTests: KeyValueTestCase {
  private static let clientCount = 4
  private static let keysPerClient = 20

  private var crashCount: Int {
    ProcessInfo.processInfo.environment["AIO_KV_CRASHES"].flatMap { Int($0) } ?? 10
  }

  func test_noAcknowledgedWriteIsMissing_afterKills() throws {
    try killAgainAndAgain(crashCount)
  }

  func test_noAcknowledgedWriteIsMissing_afterKillsWhileTheLogIsRewritten() throws {
    try killAgainAndAgain(crashCount, "--rewrite-minimum", "2000")
  }

  func test_transactionsAreWholeOrMissing_afterKills() throws {
    try killAgainAndAgain(crashCount, usingTransactions: true, "--rewrite-minimum", "20000")
  }

  /// One that writes pairs of keys, and remembers what it was told.
  private final class Writer: @unchecked Sendable {
    let name: Int
    /// The round that each pair of keys was last acknowledged with.
    var acknowledged = [Int](repeating: 0, count: CrashTests.keysPerClient)
    /// The rounds that were sent after that one, or nil.
    var sent = [Int](repeating: 0, count: CrashTests.keysPerClient)
    var counter = 0
    var sentIncrements = 0
    var round = 0
    var generator: SeededGenerator
    /// Whether the pairs are written by transactions, with the counter.
    private let usesTransactions: Bool

    init(_ name: Int, seed: UInt64, usesTransactions: Bool) {
      self.name = name
      self.usesTransactions = usesTransactions
      generator = SeededGenerator(seed: seed &+ UInt64(name))
    }

    /// Writes until the server is gone.
    func run(_ port: UInt16) {
      guard let client = try? RedisClient(port: port) else { return }
      while step(client) {}
    }

    private func step(_ client: RedisClient) -> Bool {
      // A few at once, so that batches have several commands of one client.
      var keys: [Int] = []
      var bytes: [UInt8] = []
      for _ in 0..<Int.random(in: 1...4, using: &generator) {
        round += 1
        let key = Int.random(in: 0..<CrashTests.keysPerClient, using: &generator)
        keys.append(key)
        sent[key] = round
        let value = CrashTests.value(round)
        let pair = ["a:\(name):\(key)", "b:\(name):\(key)"]
        let requests =
          usesTransactions
          ? [
            ["MULTI"], ["SET", pair[0], value], ["SET", pair[1], value], ["INCR", "n:\(name)"],
            ["SET", "r:\(name)", "\(sentIncrements + 1)"], ["EXEC"],
          ] : [["MSET", pair[0], value, pair[1], value], ["INCR", "n:\(name)"]]
        bytes += requests.flatMap { RedisClient.request($0) }
        sentIncrements += 1
      }
      let first = round - keys.count
      do {
        try client.client.send(bytes)
        for (index, key) in keys.enumerated() {
          guard let count = try readCounter(client) else { return false }
          acknowledged[key] = first + index + 1
          counter = count
        }
        return true
      } catch {
        return false
      }
    }

    /// - Returns: The counter after a pair was written; nil if the server refused.
    private func readCounter(_ client: RedisClient) throws -> Int? {
      guard usesTransactions else {
        guard try client.readReply() == .ok else { return nil }
        return try client.readReply().integer
      }
      for _ in 0..<5 { _ = try client.readReply() }
      let replies = try client.readReply().elements
      return replies.count == 4 ? replies[2].integer : nil
    }
  }

  /// A value by which a piece of another one is noticed.
  fileprivate static func value(_ round: Int) -> String {
    String(repeating: "\(round).", count: 1 + round % 50)
  }

  private static func round(of value: [UInt8]) -> Int? {
    let digits = String(decoding: value.prefix { $0 != UInt8(ascii: ".") }, as: UTF8.self)
    guard let round = Int(digits), Array(Self.value(round).utf8) == value else { return nil }
    return round
  }

  private func killAgainAndAgain(
    _ count: Int, usingTransactions: Bool = false, _ arguments: String...
  ) throws {
    let seed = testSeed()
    var generator = SeededGenerator(seed: seed)
    let site = try KeyValueSite(arguments)
    let writers = (0..<Self.clientCount).map {
      Writer($0, seed: seed, usesTransactions: usingTransactions)
    }
    for crash in 0..<count {
      let group = DispatchGroup()
      let port = site.server.port
      for writer in writers {
        Thread.detachNewThread(in: group) { writer.run(port) }
      }
      // The moment of the kill is what is random here; nothing is waited for.
      usleep(UInt32.random(in: 1000...60_000, using: &generator))
      site.server.kill9()
      group.wait()
      try site.start()
      let client = try site.client()
      for writer in writers { try check(writer, client, "crash \(crash), seed \(seed)") }
    }
    try site.end()
    XCTAssertFalse(try site.errors().contains("damaged"))
  }

  private func check(_ writer: Writer, _ client: RedisClient, _ message: String) throws {
    for key in 0..<Self.keysPerClient {
      let pair = try client.ask("MGET", "a:\(writer.name):\(key)", "b:\(writer.name):\(key)")
      XCTAssertEqual(pair.elements[0], pair.elements[1], message)
      let round = pair.elements[0].bytes.map { Self.round(of: $0) ?? -1 } ?? 0
      XCTAssertGreaterThanOrEqual(round, writer.acknowledged[key], message)
      XCTAssertLessThanOrEqual(round, writer.sent[key], message)
      writer.acknowledged[key] = round
    }
    let reply = try client.ask("GET", "n:\(writer.name)")
    let counter = reply.bytes.flatMap { Int(String(decoding: $0, as: UTF8.self)) } ?? 0
    XCTAssertGreaterThanOrEqual(counter, writer.counter, message)
    XCTAssertLessThanOrEqual(counter, writer.sentIncrements, message)
    writer.counter = counter
    let last = try client.ask("GET", "r:\(writer.name)")
    // A transaction whose reply was lost has run, or has not: both of its counters tell the same.
    if last != nil { XCTAssertEqual(last, reply, message) }
    writer.sentIncrements = counter
  }
}

extension Thread {
  fileprivate static func detachNewThread(
    in group: DispatchGroup, _ body: @escaping @Sendable () -> Void
  ) {
    group.enter()
    detachNewThread {
      body()
      group.leave()
    }
  }
}
