import CPosixAIO
import Glibc
import SystemPackage
import TestSupport
import XCTest

@testable import PosixAIO

/// Contract 6: on which descriptor of its file an operation goes.
final class LanesTests: ScriptedQueueTestCase {
  override func makeQueue(_ change: (inout CompletionQueue.Configuration) -> Void) throws {
    try super.makeQueue {
      $0.readsCacheFirst = false
      $0.mergesWrites = false
      $0.lanesPerFile = 4
      change(&$0)
    }
  }

  private func lanes(_ kind: ScriptedSystem.Operation.Kind) -> Set<Int32> {
    Set(system.submitted.filter { $0.kind == kind && !$0.isSyncMarker }.map(\.descriptor))
  }

  func test_readsSpread_writesStay_andSyncsHaveALaneOfTheirOwn() throws {
    let descriptor = try folder.open("file")
    let file = AIOFile(descriptor, queue: queue)
    try file.sync(ledger.sync())
    for number in 0..<20 {
      try file.write(IOBuffer(copying: [1]), at: Int64(number), ledger.transfer())
    }
    for _ in 0..<20 { try file.read(into: IOBuffer(capacity: 1), at: 0, ledger.transfer()) }
    try settle()
    XCTAssertEqual(lanes(.write), [descriptor.rawValue])
    // The first lane is busy with the writes.
    XCTAssertEqual(lanes(.read).count, 2)
    XCTAssertFalse(lanes(.read).contains(descriptor.rawValue))
    XCTAssertEqual(lanes(.sync).count, 1)
    XCTAssertTrue(lanes(.sync).isDisjoint(with: lanes(.read)))
  }

  func test_oneLaneIsEnoughForEverything() throws {
    try makeQueue { $0.lanesPerFile = 1 }
    let descriptor = try folder.open("file")
    let file = AIOFile(descriptor, queue: queue)
    for number in 0..<50 {
      try file.read(into: IOBuffer(capacity: 1), at: 0, ledger.transfer())
      try file.write(IOBuffer(copying: [1]), at: Int64(number), ledger.transfer())
      try file.sync(ledger.sync())
    }
    try settle()
    XCTAssertEqual(Set(system.submitted.map(\.descriptor)), [descriptor.rawValue])
  }

  /// With direct IO where the file system has it.
  private func openDirect(_ name: String, _ flags: Int32) throws -> FileDescriptor {
    let descriptor = unsafe open(
      folder.path.appending(name).string, O_RDWR | O_CREAT | caio_o_direct() | flags, 0o600)
    guard descriptor >= 0 else {
      throw XCTSkip("no direct IO on \(folder.path): \(Errno(rawValue: errno))")
    }
    return FileDescriptor(rawValue: descriptor)
  }

  func test_directWritesSpread() throws {
    let file = AIOFile(try openDirect("file", 0), queue: queue)
    for number in 0..<20 {
      try file.write(
        IOBuffer(copying: bytes(number, count: 4096)), at: Int64(number * 4096),
        ledger.transfer())
    }
    try settle()
    ledger.assertAll(.moved(4096))
    XCTAssertEqual(lanes(.write).count, 4)
    XCTAssertEqual(
      try folder.contents(of: "file"), (0..<20).flatMap { bytes($0, count: 4096) })
  }

  func test_slowOperationKeepsNoOtherLanesNews_thoughTheyShareASignal() throws {
    let file = AIOFile(try folder.open("file"), queue: queue)
    for _ in 0..<24 { try file.read(into: IOBuffer(capacity: 1), at: 0, ledger.transfer()) }
    queue.drain()
    let slow = try XCTUnwrap(system.submitted.last)
    let mates = system.submitted.filter { $0.groupID == slow.groupID }
    XCTAssertEqual(Set(mates.map(\.descriptor)).count, mates.count, "a lane for each")
    XCTAssertGreaterThan(mates.count, 1)
    while system.endFirst(where: { $0.descriptor != slow.descriptor }) {}
    XCTAssertLessThan(system.sentSignalCount, 18)
    queue.drain()
    XCTAssertEqual(ledger.order.count, 18, "all but those of the slow one's lane")
    try settle()
  }

  func test_directAppendsStay_andKeepTheirOrder() throws {
    let file = AIOFile(try openDirect("file", O_APPEND), queue: queue)
    for number in 0..<40 {
      try file.write(
        IOBuffer(copying: bytes(number, count: 4096)), at: 0, ledger.transfer())
    }
    queue.drain()
    // The last first, were there several lanes.
    while let last = system.held.last(where: \.isRunning) {
      system.endFirst { $0.key == last.key }
      queue.drain()
    }
    try settle()
    ledger.assertAll(.moved(4096))
    XCTAssertEqual(lanes(.write).count, 1)
    XCTAssertTrue(
      try folder.contents(of: "file") == (0..<40).flatMap { bytes($0, count: 4096) })
  }

  func test_tenThousandAppendsStandInTheOrderOfTheirAcceptance() throws {
    for mergesWrites in [true, false] {
      let queue = try CompletionQueue(configuration: .with { $0.mergesWrites = mergesWrites })
      let name = "log-\(mergesWrites)"
      let file = AIOFile(
        try folder.open(name, options: [.create, .append]), queue: queue)
      var expected: [UInt8] = []
      for number in 0..<10_000 {
        let entry = Array("\(number)\n".utf8)
        expected += entry
        try file.write(IOBuffer(copying: entry), at: 0, ledger.transfer())
        if number % 700 == 0 { queue.drain() }
        if number % 1000 == 0 { try file.dataSync(ledger.sync()) }
      }
      file.close(ledger.sync())
      try queue.runUntilIdle()
      ledger.assertEachOnce()
      XCTAssertTrue(try folder.contents(of: name) == expected)
      queue.assertIdle()
    }
  }

  func test_writesOnOneLaneRunBesideReadsOnOthers_andDescriptorsAreGivenBack() throws {
    let before = try openDescriptors()
    try folder.write(bytes(1, count: 100), to: "file")
    let queue = try CompletionQueue(configuration: .with { $0.readsCacheFirst = false })
    try {
      let file = AIOFile(try folder.open("file"), queue: queue)
      for _ in 0..<100 {
        try file.read(
          into: IOBuffer(capacity: 100), at: 0, ledger.read(expecting: bytes(1, count: 100)))
      }
      try file.sync(ledger.sync())
      try queue.runUntilIdle()
      XCTAssertGreaterThan(try openDescriptors().count, before.count + 6)
      file.close(ledger.sync())
      try queue.runUntilIdle()
    }()
    ledger.assertEachOnce()
    // The queue's own: both ends of its pipe, the signalfd, the timer, and the epoll over them.
    XCTAssertEqual(try openDescriptors().count, before.count + 5)
  }
}
