import TestSupport
import XCTest

@testable import KeyValueServer

/// Work on many keys is done in pieces, which are counted here: no time is measured.
final class KeyspaceTests: XCTestCase {
  private func key(_ number: Int) -> Key { Key(Array("key:\(number)".utf8)) }

  private func database(keyCount: Int, expiringAt expiry: Moment = .never) -> Database {
    let database = Database()
    for number in 0..<keyCount {
      database.replay(
        LogRecord(kind: .set, number: expiry.milliseconds, key: key(number).bytes, value: [1]))
    }
    return database
  }

  func test_shardsStaySmall_soThatNoneTakesLongToGrow() {
    let database = database(keyCount: 500_000)
    let counts = (0..<Keyspace.shardCount).map { database.keyspace.entries(ofShard: $0).count }
    XCTAssertEqual(counts.reduce(0, +), 500_000)
    // 30 on average. With a good hash, more than 100 do not happen.
    XCTAssertLessThan(try XCTUnwrap(counts.max()), 100)
  }

  func test_keysThatExpireTogetherAreRemoved_inPiecesAndOneRound() {
    let expiry = Moment(milliseconds: Moment.now().milliseconds + 1000)
    let database = database(keyCount: 100_000, expiringAt: expiry)
    database.set(Key([0]), Value(bytes: [1]))
    let largest =
      (0..<Keyspace.shardCount).map { database.keyspace.entries(ofShard: $0).count }
      .max() ?? 0
    var removedCount = 0
    for now in [Moment(milliseconds: expiry.milliseconds - 1), expiry] {
      database.now = now
      // Ten ticks, as in a second.
      for _ in 0..<11 {
        database.beginExpiryRound()
        while database.hasWork {
          let count = database.removeExpired(stepLimit: 1000)
          XCTAssertLessThanOrEqual(count, 1000 + largest)
          removedCount += count
        }
      }
      XCTAssertEqual(removedCount, now == expiry ? 100_000 : 0)
    }
    XCTAssertEqual(database.keyspace.count, 1)
    XCTAssertEqual(database.keyspace.expiringCount, 0)
  }

  func test_shardIsNotSearched_beforeAKeyInItExpires() {
    let database = database(keyCount: 1000, expiringAt: Moment(milliseconds: 1000))
    database.set(key(1), Value(bytes: [1], expiry: .never))
    var keyspace = database.keyspace
    var (checked, removed) = (0, 0)
    for time in [999, 1000, 1000] as [Int64] {
      for shard in 0..<Keyspace.shardCount {
        let result = keyspace.removeExpired(ofShard: shard, at: Moment(milliseconds: time))
        checked += result.checked
        removed += result.keys.count
      }
      XCTAssertEqual(removed, time < 1000 ? 0 : 999)
      XCTAssertEqual(checked, time < 1000 ? 0 : 1000, "the second round at 1000 has nothing to do")
    }
  }

  func test_removedKeysAreFreedInPieces_afterTheCommit() {
    let database = database(keyCount: 100_000)
    database.removeAll()
    XCTAssertEqual(database.keyspace.count, 0)
    XCTAssertFalse(database.hasWork, "the keys are needed until the change is committed")
    XCTAssertNotNil(database.read(key(5), .committed))
    database.beginBatch()
    database.removeAll()
    database.didCommit()
    XCTAssertNil(database.read(key(5), .committed))
    var pieceCount = 0
    while database.hasWork {
      let freedCount = database.freeDiscarded(stepLimit: 1000)
      pieceCount += 1
      XCTAssertEqual(freedCount, database.hasWork ? 0 : 100_000)
    }
    // Of at most 1,000 keys and shards, and the rest of a shard.
    XCTAssertGreaterThan(pieceCount, 100)
    XCTAssertLessThan(pieceCount, 130)
  }

  func test_removedKeysAreBack_whenTheChangeCannotBeWritten() {
    let database = database(keyCount: 1000)
    database.set(key(1), Value(bytes: [2]))
    database.removeAll()
    database.set(key(2), Value(bytes: [2]))
    database.removeAll()
    database.set(key(3), Value(bytes: [3]))
    database.beginBatch()
    database.removeAll()
    database.set(key(4), Value(bytes: [4]))
    XCTAssertEqual(database.keyspace.count, 1)
    database.revert()
    XCTAssertEqual(database.keyspace.count, 1000)
    for number in 0..<1000 {
      XCTAssertEqual(database.read(key(number), .newest), Value(bytes: [1]))
      XCTAssertEqual(database.read(key(number), .committed), Value(bytes: [1]))
    }
    XCTAssertEqual(database.durability, .pending, "the last changes were reverted")
  }

  func test_randomKeysAreFound_howeverFewThereAre() {
    let database = database(keyCount: 5)
    var found: Set<Key> = []
    for _ in 0..<200 {
      found.formUnion([database.keyspace.randomKey { _ in true }].compactMap { $0 })
    }
    XCTAssertGreaterThan(found.count, 1)
    XCTAssertNil(database.keyspace.randomKey { $0.expiry != .never })
    while database.removeRandomKey() {}
    XCTAssertEqual(database.keyspace.count, 0)
  }
}
