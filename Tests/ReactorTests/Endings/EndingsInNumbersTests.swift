import CFaults
import PosixAIO
import Reactor
import SystemPackage
import TestSupport
import XCTest

/// Endings again and again: what each leaves behind, however little it is, would add up.
final class EndingsInNumbersTests: XCTestCase {
  /// How many loops are made and dropped, and how many before memory is looked at.
  private static let loopCount = 10_000
  private static let firstLoopCount = 500

  /// What malloc may keep for the threads that come and go, in bytes: a few thousand as a rule. A
  /// leak of one object in each loop or repeated cell would be more.
  private static let heapTolerance = 32 * 1024

  func test_everythingStaysFlat_whenLoopsAreMadeAndDropped_aThirdOfThemInFlight() throws {
    let folder = try TemporaryDirectory()
    try folder.write(Site.old, to: "file")
    let completions = Completions()
    for number in 0..<Self.firstLoopCount { try makeAndDrop(number, folder, completions) }
    let before = try ProcessState.now()
    let heapByteCount = cfaults_heap_byte_count()
    completions.startedCount = 0
    completions.count = 0
    for number in 0..<Self.loopCount { try makeAndDrop(number, folder, completions) }
    XCTAssertEqual(try before.differences(), [])
    XCTAssertEqual(completions.count, completions.startedCount)
    XCTAssertGreaterThanOrEqual(completions.startedCount, Self.loopCount / 3)
    XCTAssertLessThan(cfaults_heap_byte_count(), heapByteCount + Self.heapTolerance)
  }

  private final class Completions {
    var startedCount = 0
    var count = 0
  }

  /// Every third loop has something in flight.
  private func makeAndDrop(
    _ number: Int, _ folder: TemporaryDirectory, _ completions: Completions
  ) throws {
    let loop = try EventLoop()
    guard number % 3 == 0 else { return }
    completions.startedCount += 1
    switch number / 3 % 5 {
    case 0:
      let file = AIOFile(try folder.open("file"), queue: loop.queue)
      try file.read(into: IOBuffer(capacity: 100), at: 0) { _, _ in completions.count += 1 }
    case 1:
      let file = AIOFile(try folder.open("file"), queue: loop.queue)
      try file.write(IOBuffer(copying: Site.old), at: 0) { _, _ in completions.count += 1 }
      loop.schedule(after: .zero) {}
      loop.runOnce()
    case 2:
      loop.offload({}, { _ in completions.count += 1 })
    case 3:
      File.open(folder.path.appending("file"), .readOnly, on: loop) { _ in completions.count += 1 }
    default:
      loop.startTask { completions.count += 1 }
    }
  }

  // MARK: Memory of single cells

  private static let repeatCount = 300
  private static let firstRepeatCount = 40

  /// One of each kind of call, in the endings that have most to clear away.
  private static let representatives = [
    "File.open/callback/drop after 0 turns, objects last",
    "File.write/callback/drop after 1 turns, objects first",
    "File.read/awaited/close after 0 turns",
    "AIOFile.read(empty pipe)/callback/drop after 1 turns, objects first",
    "Directory.replace/callback/shut down at once after 1 turns",
    "FileWriter.close/callback/close after 0 turns",
    "Connection.read(quiet)/awaited/close after 2 turns",
    "File.lock(taken)/callback/close after 1 turns",
    "startTask/awaited/borrowed, drop after 0 turns",
    "nextTurn/callback/borrowed, drop in a timer",
  ]

  func test_heapStaysFlat_whenACellIsRepeated() throws {
    let endings: [Ending] =
      Ending.dropsInside + [
        .drop(after: 0, objectsFirst: false), .drop(after: 1, objectsFirst: true),
        .close(after: 0), .close(after: 1), .close(after: 2), .shutDownAtOnce(after: 1),
        .borrowedDrop(after: 0),
      ]
    let calls = CallTable.all()
    for name in Self.representatives where MatrixSettings.includes(name) {
      var found: Cell?
      for ending in endings {
        for call in calls {
          let cell = Cell(call: call, ending: ending)
          if cell.name == name { found = cell }
        }
      }
      let cell = try XCTUnwrap(found, "no cell is called \(name)")
      if MatrixSettings.isVerbose { MatrixSettings.say("cell: \(name), repeated\n") }
      for _ in 0..<Self.firstRepeatCount { XCTAssertEqual(cell.run(), [], name) }
      let heapByteCount = cfaults_heap_byte_count()
      for _ in 0..<Self.repeatCount { XCTAssertEqual(cell.run(), [], name) }
      XCTAssertLessThan(cfaults_heap_byte_count(), heapByteCount + Self.heapTolerance, name)
    }
  }
}
