import Glibc
import PosixAIO
import Reactor
import SystemPackage
import TestSupport
import XCTest

@testable import FileServer

/// The limits of the cache, and when entries are dropped.
final class OpenFileLimitTests: XCTestCase {
  func test_limitHolds_whateverManyNamesAreAskedFor() throws {
    let site = try KeptDirectory(.init(limit: 50))
    for index in 0..<1000 {
      try site.write("", to: "\(index)")
      _ = try site.open("\(index)")
      XCTAssertLessThanOrEqual(site.files.statistics.fileCount, 50)
      XCTAssertEqual(unsafe unlink(site.path("\(index)")), 0)
    }
    XCTAssertEqual(site.files.statistics.fileCount, 50)
    site.wait { try site.descriptorCount() == 50 }
  }

  func test_leastRecentlyUsedGoesFirst() throws {
    let site = try KeptDirectory(.init(limit: 3))
    for name in ["a", "b", "c", "d"] { try site.write(name, to: name) }
    for name in ["a", "b", "c", "a", "d"] { _ = try site.open(name) }
    XCTAssertEqual(site.opens, ["a", "b", "c", "d"])
    for name in ["a", "c", "d"] { _ = try site.open(name) }
    XCTAssertEqual(site.opens.count, 4)
    // The order is a, c, d now.
    for name in ["b", "d", "c", "a"] { _ = try site.open(name) }
    XCTAssertEqual(site.opens.suffix(2), ["b", "a"])
  }

  func test_missingNamesDriveNoFileOut_andHaveALimitOfTheirOwn() throws {
    let site = try KeptDirectory(.init(limit: 10))
    for index in 0..<10 { try site.write("", to: "\(index)") }
    for index in 0..<10 { _ = try site.open("\(index)") }
    for index in 0..<1000 { XCTAssertNotNil(try site.failure("missing-\(index)")) }
    let count = site.opens.count
    for index in 0..<10 { _ = try site.open("\(index)") }
    for index in 990..<1000 { XCTAssertNotNil(try site.failure("missing-\(index)")) }
    XCTAssertEqual(site.opens.count, count)
    XCTAssertEqual(site.files.statistics.fileCount, 10)
    XCTAssertEqual(site.files.statistics.nameCount, 10)
  }

  func test_fileThatIsUsedStaysOpen_whenItIsKeptNoMore() throws {
    let site = try KeptDirectory(.init(limit: 1))
    try site.write("first", to: "first")
    try site.write("second", to: "second")
    var first: OpenFile? = try site.open("first")
    _ = try site.open("second")
    XCTAssertEqual(try site.descriptorCount(), 2)
    XCTAssertEqual(try first.map { try site.text(of: $0) }, "first")
    first = nil
    site.wait { try site.descriptorCount() == 1 }
  }

  func test_nothingIsKept_withoutALimit() throws {
    let site = try KeptDirectory(.init(limit: 0))
    try site.write("old", to: "file")
    XCTAssertEqual(try site.text(of: "file"), "old")
    try site.replace("file", by: "new")
    XCTAssertEqual(try site.text(of: "file"), "new")
    XCTAssertNotNil(try site.failure("missing"))
    XCTAssertNotNil(try site.failure("missing"))
    XCTAssertEqual(site.opens.count, 4)
    XCTAssertEqual(site.files.statistics, .init())
    site.wait { try site.descriptorCount() == 0 }
  }

  // MARK: Descriptors

  func test_filesThatAreNotReadAreClosed_whenThereAreNoMoreDescriptors() throws {
    let site = try KeptDirectory()
    for name in ["idle", "used", "new"] { try site.write(name, to: name) }
    let used = try site.open("used")
    _ = try site.open("idle")
    var faultCount = 0
    site.fault = { path in
      guard path == "new", (try? site.descriptorCount()) ?? 0 > 1 else { return nil }
      faultCount += 1
      return .tooManyOpenFiles
    }
    let outcomes = try site.outcomes(["new", "new"])
    XCTAssertEqual(faultCount, 1)
    XCTAssertEqual(try site.text(of: outcomes[1].get()), "new")
    XCTAssertEqual(site.files.statistics.fileCount, 2)
    XCTAssertTrue(try site.open("used") === used)
    XCTAssertEqual(site.opens, ["used", "idle", "new", "new"])
  }

  func test_lackOfDescriptorsIsReported_whenClosingFilesDoesNotHelp() throws {
    let site = try KeptDirectory()
    try site.write("idle", to: "idle")
    _ = try site.open("idle")
    site.fault = { _ in .tooManyOpenFiles }
    let outcomes = try site.outcomes(["one", "two"])
    for case .failure(let error) in outcomes { XCTAssertEqual(error.errno, .tooManyOpenFiles) }
    XCTAssertEqual(try site.failure("three"), .tooManyOpenFiles)
    // Two attempts if a file could be closed, and one otherwise.
    XCTAssertEqual(site.opens, ["idle", "one", "two", "one", "two", "three"])
    XCTAssertEqual(site.files.statistics.fileCount, 0)
    XCTAssertEqual(site.files.statistics.nameCount, 0)
  }

  func test_everyFileIsOpened_whenTheLimitOfTheProcessIsReached() throws {
    let site = try KeptDirectory()
    for index in 0..<200 { try site.write("", to: "\(index)") }
    for index in 0..<20 { _ = try site.open("\(index)") }
    let highest = try XCTUnwrap(try descriptorNumbers().max())
    try ResourceLimit.openFiles.lowered(to: UInt(highest + 1)) {
      for index in 0..<200 { XCTAssertNil(try site.failure("\(index)")) }
    }
  }

  // MARK: Time

  func test_whatIsNotUsedGoes_andTheRestStays() throws {
    let site = try KeptDirectory()
    for name in ["one", "two"] { try site.write(name, to: name) }
    _ = try site.outcomes(["one", "two", "missing", "gone"])
    for _ in 0..<30 {
      site.advance(.milliseconds(900))
      _ = try site.outcomes(["one", "missing"])
      site.files.removeInactive()
    }
    XCTAssertEqual(site.files.statistics.fileCount, 1)
    XCTAssertEqual(site.files.statistics.nameCount, 1)
    site.advance(.seconds(20))
    site.files.removeInactive()
    XCTAssertEqual(site.files.statistics.fileCount, 0)
    XCTAssertEqual(site.files.statistics.nameCount, 0)
    site.wait { try site.descriptorCount() == 0 }
  }

  func test_timerLetsGoOfWhatIsNotUsed_andOfTheCache() throws {
    let site = try KeptDirectory(.init(inactivity: .milliseconds(1)))
    try site.write("text", to: "file")
    _ = try site.open("file")
    XCTAssertNotNil(try site.failure("missing"))
    site.advance(.milliseconds(1))
    let files = site.dropFiles()
    // The timer keeps the cache until it is empty, and then releases it.
    XCTAssertNotNil(files())
    site.wait { files() == nil }
    site.wait { try site.descriptorCount() == 0 }
  }

  func test_nothingIsOpenOrKept_afterTheClose() throws {
    let site = try KeptDirectory()
    for index in 0..<100 { try site.write("", to: "\(index)") }
    for index in 0..<100 { _ = try site.open("\(index)") }
    let last = try site.outcomes(["last"]) { site.files.close() }
    XCTAssertEqual(last.count, 1)
    site.wait { try site.descriptorCount() == 0 }
    XCTAssertNil(try site.failure("1"))
    XCTAssertEqual(site.files.statistics.fileCount, 0)
    let files = site.dropFiles()
    XCTAssertNil(files())
  }

  func test_everythingIsClosed_whenTheLoopEnds() throws {
    let path: String
    do {
      let site = try KeptDirectory()
      path = site.folder.path.string
      try site.write("text", to: "file")
      _ = try site.open("file")
      site.loop.close()
      XCTAssertEqual(site.files.statistics.fileCount, 1)
      site.files.close()
    }
    XCTAssertFalse(try openDescriptors().values.contains { $0.hasPrefix(path) })
  }
}
